-- Messages as zproto, which is part of this library and of silly: small, fast, and with a schema that
-- both ends must have. Fields that only one of them knows are passed over.
--
-- Prints:
--   1 + 2 + 3: 6
--   7 / 0: nil, division by zero
--   a function: nil, zproto.encode: field 'numbers': number expected, got function
--   bytes that are none: nil, malformed message

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local exchange = require "exchange"
local zproto = require "zproto"

-- Each request has the tag that is its command, and its answer the next one.
local proto = assert(zproto:parse [[
add 0x01 {
	.numbers:integer[] 1
}
sum 0x02 {
	.result:integer 1
	.error:string 2
}
divide 0x03 {
	.number:integer 1
	.by:integer 2
}
quotient 0x04 {
	.result:float 1
	.error:string 2
}
]])

local codec = {}

local function tag_of(kind, cmd)
	return kind == "response" and cmd + 1 or cmd
end

-- No body is no message: the handler had nothing to answer.
function codec.marshal(kind, cmd, body)
	if body == nil then
		return nil, "nothing to send"
	end
	-- It raises for a value of the wrong type. A reason instead is what the caller of cluster.call
	-- gets; an error would be raised by cluster.call.
	local ok, bytes = pcall(proto.encode, proto, tag_of(kind, cmd), body)
	if not ok then
		return nil, bytes
	end
	return cmd, proto:pack(bytes)
end

-- Bytes from the network are whatever somebody has sent. For a request the reason goes to the log,
-- for an answer to whoever has called.
function codec.unmarshal(kind, cmd, data)
	local name = proto:tag(tag_of(kind, cmd))
	local bytes = name and proto:unpack(data)
	local body = bytes and proto:decode(name, bytes)
	if not body then
		return nil, name and "malformed message" or "unknown command"
	end
	return body
end

exchange.run(codec)
