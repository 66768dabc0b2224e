--- Types as annotations write them: `string?`, `fun(name: string): boolean, string?`, `thread[]`.
--
-- A type becomes a table with `kind`, its own `text`, and what the kind needs: `parts` of a union,
-- `params` and `returns` of a function, `of` of an array, and the `inner` types of all else.

local types = {}

--- What Lua itself, and LuaLS, know without a declaration.
local BUILT_IN = {}
for name in ([[nil any boolean string number integer function table thread userdata lightuserdata
	unknown type self true false file*]]):gmatch("%S+") do
	BUILT_IN[name] = true
end

--- Characters that a name may have.
local NAME = "^[%a_][%w_.]*"

local read

--- Skips spaces.
local function skip(text, at)
	return text:find("%S", at) or #text + 1
end

--- The place behind an expected character; raises where there is another one.
local function expect(text, at, character)
	at = skip(text, at)
	if text:sub(at, at) ~= character then
		error(("'%s' wanted near '%s'"):format(character, text:sub(at)), 0)
	end
	return at + 1
end

--- Reads what stands between brackets, separated by commas.
local function read_list(text, at, closing, read_one)
	local list = {}
	at = skip(text, at)
	while text:sub(at, at) ~= closing do
		if #list > 0 then
			at = expect(text, at, ",")
		end
		list[#list + 1], at = read_one(text, skip(text, at))
		at = skip(text, at)
	end
	return list, at + 1
end

--- `name?: type`, `...: type`, or a name alone, of a function's parameter or a table's field.
local function read_entry(text, at)
	local name = text:match("^%.%.%.", at) or text:match(NAME, at)
	if not name then
		error(("a name wanted near '%s'"):format(text:sub(at)), 0)
	end
	at = at + #name
	local entry = { name = name }
	if text:sub(at, at) == "?" then
		entry.optional, at = true, at + 1
	end
	if text:sub(at, at) == ":" then
		entry.type, at = read(text, skip(text, at + 1))
		entry.optional = entry.optional or entry.type.optional
	end
	return entry, at
end

--- The returns of a function: types, separated by commas.
local function read_returns(text, at)
	local list = {}
	repeat
		list[#list + 1], at = read(text, skip(text, at))
		local comma = text:match("^,%s*()", at)
		at = comma or at
	until not comma
	return list, at
end

local function read_function(text, at)
	local node = { kind = "function", inner = {}, returns = {} }
	node.params, at = read_list(text, at, ")", read_entry)
	if text:sub(at, at) == ":" then
		node.returns, at = read_returns(text, at + 1)
	end
	for _, param in ipairs(node.params) do
		node.inner[#node.inner + 1] = param.type
	end
	for _, returned in ipairs(node.returns) do
		node.inner[#node.inner + 1] = returned
	end
	return node, at
end

local function read_one(text, at)
	local first = text:sub(at, at)
	if first == "(" then
		local node
		node, at = read(text, skip(text, at + 1))
		return { kind = "group", inner = { node } }, expect(text, at, ")")
	elseif first == "{" then
		local fields, after = read_list(text, at + 1, "}", read_entry)
		local inner = {}
		for _, field in ipairs(fields) do
			inner[#inner + 1] = field.type
		end
		return { kind = "table", inner = inner }, after
	elseif first == '"' then
		local closing = text:find('"', at + 1, true)
		if not closing then
			error("a string is not finished", 0)
		end
		return { kind = "literal", inner = {} }, closing + 1
	elseif first:find("%d") then
		return { kind = "literal", inner = {} }, text:match("^%d+()", at)
	elseif text:find("^fun%(", at) then
		return read_function(text, at + 4)
	elseif text:find("^%.%.%.", at) then
		return { kind = "rest", inner = {} }, at + 3
	end
	local name = text:match("^file%*", at) or text:match(NAME, at)
	if not name then
		error(("a type wanted near '%s'"):format(text:sub(at)), 0)
	end
	local node = { kind = "name", name = name, inner = {} }
	at = at + #name
	if text:sub(at, at) == "<" then
		node.inner, at = read_list(text, at + 1, ">", read)
	end
	return node, at
end

--- One part of a union, with the `[]` and `?` behind it.
local function read_part(text, at)
	local start = at
	local node
	node, at = read_one(text, at)
	while text:find("^%[%]", at) do
		node.text = text:sub(start, at - 1)
		node, at = { kind = "array", of = node, inner = { node } }, at + 2
	end
	node.text = text:sub(start, at - 1)
	if text:sub(at, at) == "?" then
		node.optional, at = true, at + 1
	end
	return node, at
end

--- Reads a type from a place of a text on.
---@param text string
---@param at integer
---@return table type
---@return integer next the place behind it
function read(text, at)
	local start, parts, optional = at, {}, false
	repeat
		local part
		part, at = read_part(text, at)
		if part.kind == "name" and part.name == "nil" and #parts > 0 then
			optional = true
		else
			parts[#parts + 1] = part
			optional = optional or part.optional or false
		end
		local bar = text:match("^|()", at)
		at = bar or at
	until not bar
	local node = parts[1]
	if #parts > 1 then
		node = { kind = "union", parts = parts, inner = parts, text = text:sub(start, at - 1) }
	end
	node.optional = optional
	return node, at
end

--- The type at the beginning of a text, and what follows it. Raises, with what is wrong, where there is
--- none.
---@param text string
---@return table type
---@return string rest
function types.parse(text)
	local node, at = read(text, 1)
	if at <= #text and not text:find("^%s", at) then
		error(("what is '%s'?"):format(text:sub(at)), 0)
	end
	return node, text:sub(skip(text, at))
end

--- The same for `---@type`, which gives one type for each variable.
---@param text string
---@return table[] list
---@return string rest
function types.parse_all(text)
	local list, at = read_returns(text, 1)
	return list, text:sub(skip(text, at))
end

--- Calls a function with the name of every type inside a type that Lua does not know by itself.
---@param node table
---@param visit fun(name: string)
function types.each_name(node, visit)
	if node.kind == "name" and not BUILT_IN[node.name] then
		visit(node.name)
	end
	for _, inner in ipairs(node.inner) do
		types.each_name(inner, visit)
	end
end

return types
