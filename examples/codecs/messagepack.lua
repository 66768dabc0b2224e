-- Messages as MessagePack, by lua-MessagePack, which is Lua alone (Debian: lua-messagepack, whose file
-- for Lua 5.3 also serves 5.4: LUA_PATH=";;/usr/share/lua/5.3/?.lua"; luarocks: lua-messagepack).
-- As free in form as JSON, and shorter; keeps integers and bytes as they are.
--
-- Prints:
--   1 + 2 + 3: 6
--   7 / 0: nil, division by zero
--   a function: nil, pack 'function' is unimplemented
--   bytes that are none: nil, extra bytes

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local exchange = require "exchange"
local messagepack = require "MessagePack"

local codec = {}

-- The library raises; its errors begin with a place in its own file, which tells nobody anything.
local function attempt(fn, value)
	local ok, result = pcall(fn, value)
	if not ok then
		return nil, (result:gsub("^[^ ]*:%d+: ", ""))
	end
	return result
end

-- Commands are numbers already. No body is no message: the handler had nothing to answer.
function codec.marshal(_, cmd, body)
	if body == nil then
		return nil, "nothing to send"
	end
	local bytes, why = attempt(messagepack.pack, body)
	if not bytes then
		return nil, why
	end
	return cmd, bytes
end

-- Bytes from the network are whatever somebody has sent. For a request the reason goes to the log,
-- for an answer to whoever has called.
function codec.unmarshal(_, _, data)
	local body, why = attempt(messagepack.unpack, data)
	if type(body) ~= "table" then
		return nil, why or "no map"
	end
	return body
end

exchange.run(codec)
