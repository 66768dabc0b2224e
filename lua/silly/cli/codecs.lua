--- How `silly call` makes bytes of what is typed, and text of what is answered.
--
-- A codec has `encode(cmd, text)` and `decode(cmd, bytes)`, each of which returns a string, or nil and
-- what is wrong; and `number(name)` if its commands have names.

local json = require "silly.internal.json"
local zproto = require "zproto"

local codecs = {}

local function as_it_is(_, data)
	return data
end

local function demand_json(_, data)
	local value, problem = json.decode(data)
	if value == nil then
		return nil, problem
	end
	return data
end

local known = {
	raw = { encode = as_it_is, decode = as_it_is },
	json = { encode = demand_json, decode = demand_json },
	hex = {},
}

function known.hex.encode(_, text)
	local digits = text:gsub("%s", "")
	if #digits % 2 == 1 or digits:find("%X") then
		return nil, "not hexadecimal digits in pairs"
	end
	return (digits:gsub("%x%x", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

function known.hex.decode(_, bytes)
	return (bytes:gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end))
end

--- A codec of the schema in a file.
---@param answer string? the struct of the answer
local function from_schema(path, answer)
	local file, problem = io.open(path, "rb")
	if not file then
		return nil, problem
	end
	local text = file:read("*a")
	file:close()
	local proto
	proto, problem = zproto:parse(text)
	if not proto then
		return nil, ("%s: %s"):format(path, problem)
	end
	local structs = {}
	for _, name in proto:travel("struct") do
		structs[name] = true
	end
	if answer and not structs[answer] then
		return nil, ("%s has no struct %s"):format(path, answer)
	end
	local codec = {}

	function codec.number(name)
		local tag = structs[name] and proto:tag(name)
		return tag ~= 0 and tag or nil
	end

	function codec.encode(cmd, written)
		local name = proto:tag(cmd)
		local body, wrong = json.decode(written == "" and "{}" or written)
		if not name then
			return nil, ("%s has no struct with the tag %d"):format(path, cmd)
		elseif type(body) ~= "table" then
			return nil, wrong or "not a JSON object"
		end
		-- It raises for a field of the wrong type, and says which.
		local ok, bytes = pcall(proto.encode, proto, name, body)
		if not ok then
			return nil, tostring(bytes)
		end
		return proto:pack(bytes)
	end

	function codec.decode(cmd, bytes)
		local name = answer or proto:tag(cmd + 1)
		if not name then
			return nil, ("%s has no struct with the tag %d; name one: zproto=FILE:ANSWER"):format(path, cmd + 1)
		end
		local unpacked = proto:unpack(bytes)
		local body = unpacked and proto:decode(name, unpacked)
		if not body then
			return nil, "malformed as " .. name
		end
		return json.encode(body)
	end

	return codec
end

--- The codec that an option names.
---@param text string
---@return table? codec
---@return string? problem
function codecs.open(text)
	local schema = text:match("^zproto=(.+)$")
	if schema then
		local path, answer = schema:match("^(.+):([%w_]+)$")
		return from_schema(path or schema, answer)
	elseif not known[text] then
		return nil, "unknown codec " .. text .. ": raw, hex, json or zproto=FILE[:ANSWER]"
	end
	return known[text]
end

return codecs
