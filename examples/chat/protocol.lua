-- What gateways and room nodes say to each other, in one place for both.
--
-- All requests have one form, and so have all answers; the command says what is meant.

local zproto = require "zproto"

local proto = assert(zproto:parse [[
request {
	.room:string 1
	.name:string 2
	.text:string 3
	.moved:boolean 4
}
answer {
	.error:string 1
	.names:string[] 2
}
]])

local protocol = {
	JOIN = 1, -- a gateway's user comes in: who is there already; `moved`: from a node that has died
	LEAVE = 2,
	SAY = 3,
	DELIVER = 4, -- from the room node: a line for all of the gateway's users in a room but `name`
}

local function struct_of(kind)
	return kind == "request" and "request" or "answer"
end

function protocol.marshal(kind, cmd, body)
	if not body then
		return nil -- a handler that has nothing to answer
	end
	return cmd, proto:pack(proto:encode(struct_of(kind), body))
end

function protocol.unmarshal(kind, _, data)
	local bytes = proto:unpack(data)
	local body = bytes and proto:decode(struct_of(kind), bytes)
	return body or nil, not body and "malformed message" or nil
end

return protocol
