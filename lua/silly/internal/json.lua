--- JSON for the commands and the status, which must not need anybody's library. For messages in great
--- numbers there are faster ones.
--
-- `null` is nil: left out of an object, and refused in an array, where it would make a hole.

local json = {}

--- Deeper texts could take all of Lua's stack.
local DEEPEST = 100

local ESCAPES = {
	['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}
local LITERALS = { ["true"] = true, ["false"] = false }

local floor, char = math.floor, string.char

--- Whether a number is an integer to Lua itself, and so exact; before 5.3 none is.
local function integer(value)
	return math.type ~= nil and math.type(value) == "integer"
end

--- Stops decoding.
local function refuse(at, what)
	error({ at = at, what = what }, 0)
end

local function utf8(code)
	if code < 0x80 then
		return char(code)
	elseif code < 0x800 then
		return char(0xC0 + floor(code / 64), 0x80 + code % 64)
	elseif code < 0x10000 then
		return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
	end
	return char(
		0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
		0x80 + code % 64
	)
end

--- The code point behind "\u", and where it ends.
local function unicode(text, at)
	local digits = text:match("^%x%x%x%x", at) or refuse(at, "four hexadecimal digits wanted")
	local code = tonumber(digits, 16)
	if code >= 0xD800 and code < 0xDC00 then
		local low = text:match("^\\u([dD][c-fC-F]%x%x)", at + 4) or refuse(at, "half of a surrogate pair")
		return 0x10000 + (code - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00, at + 10
	elseif code >= 0xDC00 and code < 0xE000 then
		refuse(at, "half of a surrogate pair")
	end
	return code, at + 4
end

--- A string whose first quote is before `at`.
local function read_string(text, at)
	local parts = {}
	while true do
		local stop = text:find('[%c"\\]', at) or refuse(at, "a string does not end")
		parts[#parts + 1] = text:sub(at, stop - 1)
		local byte = text:sub(stop, stop)
		if byte == '"' then
			return table.concat(parts), stop + 1
		elseif byte == "\127" then
			parts[#parts + 1], at = byte, stop + 1
		elseif byte ~= "\\" then
			refuse(stop, "a control character in a string")
		elseif text:sub(stop + 1, stop + 1) == "u" then
			local code
			code, at = unicode(text, stop + 2)
			parts[#parts + 1] = utf8(code)
		else
			parts[#parts + 1] = ESCAPES[text:sub(stop + 1, stop + 1)] or refuse(stop, "an unknown escape")
			at = stop + 2
		end
	end
end

local function skip(text, at)
	return text:find("[^ \t\r\n]", at) or #text + 1
end

local read_value

--- What stands between two brackets, one by one: `take(at)` reads an element and returns its end.
local function read_list(text, at, closing, take)
	at = skip(text, at)
	if text:sub(at, at) == closing then
		return at + 1
	end
	while true do
		at = skip(text, take(at))
		local byte = text:sub(at, at)
		if byte == closing then
			return at + 1
		elseif byte ~= "," then
			refuse(at, ("',' or '%s' wanted"):format(closing))
		end
		at = skip(text, at + 1)
	end
end

local function read_object(text, at, depth)
	local object = {}
	return object, read_list(text, at, "}", function(start)
		if text:sub(start, start) ~= '"' then
			refuse(start, "a name in quotes wanted")
		end
		local name, next_at = read_string(text, start + 1)
		next_at = skip(text, next_at)
		if text:sub(next_at, next_at) ~= ":" then
			refuse(next_at, "':' wanted")
		end
		object[name], next_at = read_value(text, skip(text, next_at + 1), depth)
		return next_at
	end)
end

local function read_array(text, at, depth)
	local array = {}
	return array, read_list(text, at, "]", function(start)
		local value, next_at = read_value(text, start, depth)
		if value == nil then
			refuse(start, "null in an array")
		end
		array[#array + 1] = value
		return next_at
	end)
end

local function read_number(text, at)
	local whole = text:match("^%-?0", at) or text:match("^%-?[1-9]%d*", at) or refuse(at, "a value wanted")
	local rest = at + #whole
	local fraction = text:match("^%.%d+", rest) or ""
	local exponent = text:match("^[eE][+-]?%d+", rest + #fraction) or ""
	return tonumber(whole .. fraction .. exponent), rest + #fraction + #exponent
end

function read_value(text, at, depth)
	if depth > DEEPEST then
		refuse(at, "nested too deep")
	end
	local byte = text:sub(at, at)
	if byte == "{" then
		return read_object(text, at + 1, depth + 1)
	elseif byte == "[" then
		return read_array(text, at + 1, depth + 1)
	elseif byte == '"' then
		return read_string(text, at + 1)
	end
	local word = text:match("^%l+", at)
	if word == "null" then
		return nil, at + 4
	elseif LITERALS[word] ~= nil then
		return LITERALS[word], at + #word
	end
	return read_number(text, at)
end

local function read_all(text)
	local value, at = read_value(text, skip(text, 1), 1)
	at = skip(text, at)
	if at <= #text then
		refuse(at, "more behind the value")
	end
	return value
end

--- The value of a text; nil and what is wrong with it, or for a text that is "null".
---@param text string
---@return any
---@return string? problem
function json.decode(text)
	local ok, result = pcall(read_all, text)
	if ok then
		return result, result == nil and "null" or nil
	elseif type(result) ~= "table" then
		error(result, 0)
	end
	return nil, ("not JSON: %s, at byte %d"):format(result.what, result.at)
end

local write_value

local function quote(text)
	return '"' .. text:gsub('[%c"\\]', function(byte)
		return (byte == '"' or byte == "\\") and "\\" .. byte or ("\\u%04x"):format(byte:byte())
	end) .. '"'
end

local function write_table(value)
	local parts = {}
	if #value > 0 then
		for index, element in ipairs(value) do
			parts[index] = write_value(element)
		end
		return "[" .. table.concat(parts, ",") .. "]"
	end
	for name, field in pairs(value) do
		parts[#parts + 1] = quote(tostring(name)) .. ":" .. write_value(field)
	end
	table.sort(parts) -- so that the same value is the same text
	return "{" .. table.concat(parts, ",") .. "}"
end

function write_value(value)
	local kind = type(value)
	if kind == "table" then
		return write_table(value)
	elseif kind == "string" then
		return quote(value)
	elseif kind == "number" then
		if value ~= value or value == math.huge or value == -math.huge then
			return "null" -- JSON has no such numbers
		end
		local whole = integer(value) or value == floor(value) and math.abs(value) < 2 ^ 53
		return (whole and "%d" or "%.17g"):format(value)
	end
	return tostring(value)
end

--- The text of a value. A table with something at 1 is an array, any other an object.
---@param value any of tables, strings, numbers and booleans
---@return string
function json.encode(value)
	return write_value(value)
end

return json
