--- The frames of both generations, read and written without the library's help and without
--- string.pack, which half of the interpreters lack. `wire.request` and so on are the documented ones;
--- `wire.two` has the same for generation 2.

local wire = {}

local RESPONSE = 2 ^ 31

local function little(number, size)
	local bytes = {}
	for index = 1, size do
		bytes[index] = string.char(number % 256)
		number = math.floor(number / 256)
	end
	return table.concat(bytes)
end

local function number(bytes)
	local value = 0
	for index = #bytes, 1, -1 do
		value = value * 256 + bytes:byte(index)
	end
	return value
end

--- A frame around any body, with any length announced.
function wire.frame(body, announced)
	local length = announced or #body
	return string.char(math.floor(length / 256), length % 256) .. body
end

--- A trace id of 16 hexadecimal digits as bytes.
local function trace_bytes(digits)
	local id = (digits or ("0"):rep(16)):gsub("%x%x", function(byte)
		return string.char(tonumber(byte, 16))
	end)
	return id:reverse()
end

--- And back.
local function trace_digits(bytes)
	return (bytes:reverse():gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end))
end

--- `trace` is the id as 16 hexadecimal digits.
function wire.request(session, cmd, data, trace)
	return wire.frame(data .. trace_bytes(trace) .. little(cmd, 4) .. little(session, 4))
end

--- So many empty requests, one behind the other.
function wire.requests(count)
	local requests = {}
	for session = 1, count do
		requests[session] = wire.request(session, 1, "")
	end
	return table.concat(requests)
end

function wire.response(session, data)
	return wire.frame(data .. little(session + RESPONSE, 4))
end

--- The first frame of a stream and what follows it; nil while it is not complete.
function wire.decode(stream)
	if #stream < 2 then
		return nil, stream
	end
	local length = stream:byte(1) * 256 + stream:byte(2)
	if #stream < 2 + length then
		return nil, stream
	end
	local body, rest = stream:sub(3, 2 + length), stream:sub(3 + length)
	local session = number(body:sub(-4))
	if session >= RESPONSE then
		return { response = true, session = session - RESPONSE, data = body:sub(1, -5) }, rest
	end
	return {
		response = false,
		session = session,
		cmd = number(body:sub(-8, -5)),
		trace = trace_digits(body:sub(-16, -9)),
		data = body:sub(1, -17),
	}, rest
end

wire.two = {}

--- A frame around any body, with any length announced.
function wire.two.frame(body, announced)
	return little(announced or #body, 4) .. body
end

--- `trace` is the id as 16 hexadecimal digits.
function wire.two.request(session, cmd, data, trace)
	return wire.two.frame(little(session, 4) .. little(cmd, 4) .. trace_bytes(trace) .. data)
end

function wire.two.response(session, data)
	return wire.two.frame(little(session + RESPONSE, 4) .. data)
end

--- The first frame of a stream and what follows it; nil while it is not complete.
function wire.two.decode(stream)
	local length = #stream >= 4 and number(stream:sub(1, 4))
	if not length or #stream < 4 + length then
		return nil, stream
	end
	local body, rest = stream:sub(5, 4 + length), stream:sub(5 + length)
	local session = number(body:sub(1, 4))
	if session >= RESPONSE then
		return { response = true, session = session - RESPONSE, data = body:sub(5) }, rest
	end
	return {
		response = false,
		session = session,
		cmd = number(body:sub(5, 8)),
		trace = trace_digits(body:sub(9, 16)),
		data = body:sub(17),
	}, rest
end

function wire.hex(bytes)
	return (bytes:gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end))
end

return wire
