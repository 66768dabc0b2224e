--- What the annotations of a Lua file say, and what they stand above.
--
-- Reads the project's own style line by line: definitions begin in the first column, and what belongs to
-- one is the comment of `---` lines right above it. A line of two more spaces goes on with the annotation
-- before it; what stands above a ---@field is that field's text.

local types = dofile("tools/docs/types.lua")

local annotations = {
	--- names of the results that say why there is nothing else
	REASONS = { err = true, message = true },
}

--- One comment: its prose, and its annotations.
local Comment = {}
Comment.__index = Comment

local function new_comment(line)
	return setmetatable({
		line = line,
		prose = {},
		params = {},
		returns = {},
		fields = {},
		types = {},
		tags = {},
		problems = {},
		pending = {},
	}, Comment)
end

function Comment:complain(line, text)
	self.problems[#self.problems + 1] = { line = line, text = text }
end

--- Reads a type at the beginning of what an annotation says.
function Comment:read_type(line, text, parse)
	local ok, node, rest = pcall(parse or types.parse, text)
	if not ok then
		self:complain(line, "malformed type: " .. node)
		return nil, ""
	end
	for _, one in ipairs(parse and node or { node }) do
		self.types[#self.types + 1] = { line = line, type = one }
	end
	return node, rest
end

--- A name, with a ? where it may be absent, and its type and text: of a parameter or a field.
function Comment:read_entry(line, text)
	local visibility, after = text:match("^(%l+)%s+([%w_]+%??%s.*)$")
	if visibility == "package" or visibility == "private" or visibility == "protected" then
		text = after
	else
		visibility = nil
	end
	local name, mark, rest = text:match("^([%w_.]+)(%??)%s+(.*)$")
	if not name then
		return self:complain(line, "a name and a type wanted")
	end
	local node, about = self:read_type(line, rest)
	return node and {
		name = name,
		type = node,
		optional = mark == "?" or node.optional,
		may_be_left_out = mark == "?",
		hidden = visibility ~= nil,
		text = { about },
		line = line,
	}
end

local readers = {}

function readers.param(self, line, text)
	local entry = self:read_entry(line, text)
	self.params[#self.params + 1] = entry
	return entry
end

function readers.field(self, line, text)
	local entry = self:read_entry(line, text)
	if entry then
		local above = self.pending
		above[#above + 1] = entry.text[1] ~= "" and entry.text[1] or nil
		entry.text, self.pending = above, {}
		self.fields[#self.fields + 1] = entry
	end
	return entry
end

readers["return"] = function(self, line, text)
	local node, rest = self:read_type(line, text)
	local name, about = rest:match("^([%w_.]+)%s*(.*)$")
	local entry = node and {
		name = name,
		type = node,
		optional = node.optional,
		text = { about or rest },
		line = line,
	}
	self.returns[#self.returns + 1] = entry
	return entry
end

function readers.type(self, line, text)
	local list, rest = self:read_type(line, text, types.parse_all)
	self.type = list and list[1]
	if rest ~= "" then
		self.prose[#self.prose + 1] = rest
	end
end

function readers.class(self, line, text)
	local name, parent = text:match("^([%w_.]+)%s*:?%s*([%w_.]*)$")
	if not name then
		return self:complain(line, "a class's name wanted")
	elseif self.class then
		return self:complain(line, "a second class in one comment")
	end
	self.class, self.parent = name, parent ~= "" and parent or nil
	if self.parent then
		self:read_type(line, parent)
	end
end

function readers.alias(self, line, text)
	local name, rest = text:match("^([%w_.]+)%s+(.*)$")
	if not name then
		return self:complain(line, "an alias's name and type wanted")
	end
	self.alias, self.aliased = name, (self:read_type(line, rest))
end

function readers.async(self)
	self.async = true
end

function readers.meta(self)
	self.meta = true
end

--- Takes in one line without its dashes.
function Comment:add(line, raw)
	local tag, rest = raw:match("^%s*@(%a+)%s*(.*)$")
	local text = raw:gsub("^ ", "")
	if tag then
		self.tags[#self.tags + 1] = tag
		if readers[tag] then
			self.open = readers[tag](self, line, rest)
		else
			self:complain(line, "unknown annotation @" .. tag)
		end
	elseif #self.tags == 0 then
		self.prose[#self.prose + 1] = text
	elseif raw:find("^  ") and #self.pending == 0 and self.open then
		self.open.text[#self.open.text + 1] = text:gsub("^ +", "")
	else
		self.pending[#self.pending + 1] = text
	end
end

--- What is above no field after all is the prose's.
function Comment:finish()
	for _, text in ipairs(self.pending) do
		self.prose[#self.prose + 1] = text
	end
	self.pending, self.open = nil, nil
end

--- True when there is a word in it.
function Comment:says_something()
	return table.concat(self.prose):find("%a") ~= nil
end

--- The names between the parentheses of a function.
local function names_in(parameters)
	local names = {}
	for name in parameters:gmatch("[%w_.]+") do
		names[#names + 1] = name
	end
	return names
end

--- Every name that a line defines: its owner, if it has one, what is between them, and what it is.
local function definitions(line, owner)
	local list = {}
	local function add(of, mark, name, rest)
		list[#list + 1] = { owner = of, mark = mark, name = name, value = rest }
		return list
	end
	if owner then -- inside the constructor of a table
		local name, value = line:match("^\t([%w_]+) = (.-),?$")
		return name and add(owner, ".", name, value) or list
	end
	local table_name, mark, name, parameters = line:match("^function ([%w_]+)([.:])([%w_]+)%((.-)%)")
	if name then
		add(table_name, mark, name)
		list[1].parameters = names_in(parameters)
		return list
	end
	name, parameters = line:match("^local function ([%w_]+)%((.-)%)")
	if not name then
		name, parameters = "return", line:match("^return function%((.-)%)")
	end
	if parameters then
		add(nil, nil, name)
		list[1].parameters = names_in(parameters)
		return list
	end
	local left, right = line:match("^([%w_.]+%.[%w_., ]+) = (.*)$")
	if left and not left:find(",") then
		table_name, name = left:match("^([%w_]+)%.([%w_]+)$")
		return name and add(table_name, ".", name, right) or list
	elseif left then
		local values = right:gmatch("%s*([^,]+)")
		for of, field in left:gmatch("([%w_]+)%.([%w_]+)") do
			add(of, ".", field, values() or "")
		end
	end
	return list
end

--- Files a comment, which may be nil, and what a line below it defines. The first comment of a file is its
--- header, unless it is a definition's.
local function place(file, comment, source, number, owner, is_first)
	local defined = definitions(source, owner)
	local is_header = is_first and #defined == 0
	if comment then
		comment:finish()
		file.comments[#file.comments + 1] = comment
		local variable = source:match("^local ([%w_]+) = ")
		if is_header then
			file.header = comment.prose
		end
		if comment.class then
			file.classes[#file.classes + 1] =
				{ name = comment.class, parent = comment.parent, comment = comment, variable = variable }
		elseif comment.alias then
			file.aliases[#file.aliases + 1] = { name = comment.alias, type = comment.aliased, comment = comment }
		elseif variable and not is_header then
			file.variables[variable] = comment
		end
	end
	for _, item in ipairs(defined) do
		item.line = number
		item.comment = comment or new_comment(number)
		file.items[#file.items + 1] = item
	end
	local variable, module = source:match('^local ([%w_]+) = require%(?%s*"([%w_.]+)"')
	if variable then
		file.requires[variable] = module
	end
	file.returned = source:match("^return ([%w_]+)$") or source:match("^return (function)%(") or file.returned
end

--- What a file is: the table or the function that it returns, where its classes are kept, and all that
--- it defines.
---@param text string its source
---@return table file
function annotations.parse(text)
	local file = {
		lines = {},
		header = {},
		requires = {},
		variables = {},
		classes = {},
		aliases = {},
		items = {},
		comments = {},
	}
	local comment, owner
	local is_first = true
	for source in (text:gsub("\n?$", "\n")):gmatch("(.-)\n") do
		local number = #file.lines + 1
		file.lines[number] = source
		local raw = source:match("^%s*%-%-%-(.*)$") or is_first and source:match("^%-%-(.*)$")
		if raw then
			comment = comment or new_comment(number)
			comment:add(number, raw)
		else
			place(file, comment, source, number, owner, is_first)
			is_first = false
			comment = nil
			local opened = source:match("^local ([%w_]+) = {$") or source:match("^local ([%w_]+) = setmetatable%({$")
			owner = opened or not source:find("^}") and owner or nil
		end
	end
	place(file, comment, "", #file.lines + 1, nil, is_first)
	return file
end

--- Reads and parses a file.
---@param path string
---@return table file
function annotations.read(path)
	local stream = assert(io.open(path))
	local text = stream:read("*a")
	stream:close()
	local file = annotations.parse(text)
	file.path = path
	return file
end

--- The class whose methods and fields a variable has; nil when it has none.
function annotations.class_of(file, variable)
	for _, class in ipairs(file.classes) do
		if class.variable == variable then
			return class
		end
	end
end

--- The definition that a value is only another name of: a field of a variable, without a comment.
function annotations.target_of(item)
	if item.value and not item.comment:says_something() and not item.comment.type then
		return item.value:match("^(%l[%w_]*)%.([%w_]+)$")
	end
end

return annotations
