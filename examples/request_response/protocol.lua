-- The messages of this example, in one place for both ends.
--
-- Each request has a tag, and its answer the next one, so that marshal and unmarshal can find the
-- one from the other. A tag is all that travels; the names are for the scripts.

local zproto = require "zproto"

local proto = assert(zproto:parse [[
greet 0x01 {
	.name:string 1
}
greeting 0x02 {
	.text:string 1
}
add 0x03 {
	.numbers:integer[] 1
}
sum 0x04 {
	.total:integer 1
}
note 0x05 {
	.text:string 1
}
quiet 0x07 {
	.why:string 1
}
]])

-- The tag of the message that travels: of `cmd` itself, or of the answer to it.
local function tag_of(kind, cmd)
	local tag = type(cmd) == "string" and proto:tag(cmd) or cmd
	return kind == "response" and tag + 1 or tag
end

local protocol = {}

-- A number and bytes for what goes out. No body, no message: that is how a handler says that there
-- is nothing to answer.
function protocol.marshal(kind, cmd, body)
	if not body then
		return nil
	end
	local tag = tag_of(kind, cmd)
	return tag, proto:pack(proto:encode(tag, body))
end

-- A table for what came in, or nil and why not.
function protocol.unmarshal(kind, cmd, data)
	local bytes = proto:unpack(data)
	local body = bytes and proto:decode(tag_of(kind, cmd), bytes)
	return body or nil, not body and "malformed message" or nil
end

-- Handlers by name, as the `call` of cluster.serve wants them: it gets the number.
function protocol.dispatch(handlers)
	return function(peer, cmd, body)
		local handler = handlers[proto:tag(cmd)]
		return handler and handler(body, peer)
	end
end

return protocol
