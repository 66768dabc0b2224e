--- A codec for which a message is its own bytes.

local cluster = require "silly.net.cluster"

local plain = {}

--- A command and bytes; nothing to send without bytes.
function plain.marshal(_, cmd, body)
	return body and cmd, body
end

function plain.unmarshal(_, _, data)
	return data
end

--- cluster.serve with this codec, unless the options have one of their own.
---@param conf table the other options
function plain.serve(conf)
	conf.marshal, conf.unmarshal = conf.marshal or plain.marshal, conf.unmarshal or plain.unmarshal
	cluster.serve(conf)
end

return plain
