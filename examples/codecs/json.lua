-- Messages as JSON, by lua-cjson (Debian: lua-cjson; luarocks: lua-cjson). Text that every language
-- and every person can read; slower and longer than the others, and without integers beyond 2^53.
--
-- Prints:
--   1 + 2 + 3: 6
--   7 / 0: nil, division by zero
--   a function: nil, Cannot serialise function: type not supported
--   bytes that are none: nil, Expected value but found invalid token at character 1

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local cjson = require "cjson"
local exchange = require "exchange"

local codec = {}

-- Commands are numbers already. No body is no message: the handler had nothing to answer.
function codec.marshal(_, cmd, body)
	if body == nil then
		return nil, "nothing to send"
	end
	-- It raises for what JSON has no words for. A reason instead is what the caller of cluster.call
	-- gets; an error would be raised by cluster.call.
	local ok, text = pcall(cjson.encode, body)
	if not ok then
		return nil, text
	end
	return cmd, text
end

-- Bytes from the network are whatever somebody has sent. For a request the reason goes to the log,
-- for an answer to whoever has called.
function codec.unmarshal(_, _, data)
	local ok, body = pcall(cjson.decode, data)
	if not ok then
		return nil, body
	elseif type(body) ~= "table" then
		return nil, "no object"
	end
	return body
end

exchange.run(codec)
