--- Whether a table has what a class declares, and nothing else.

local match = {}

--- What `type` says of values of a declared type.
local function lua_type(node)
	local name = node.name or node.kind
	return name == "integer" and "number" or name
end

--- What a class declares: the types of its fields by name, and which of them need not be there.
local function members(class)
	local found, optional = {}, {}
	for _, field in ipairs(class.comment.fields) do
		found[field.name], optional[field.name] = field.type, field.may_be_left_out
	end
	for _, item in ipairs(class.variable and class.file.items or {}) do
		if item.owner == class.variable and item.parameters then
			found[item.name] = { kind = "function" }
		end
	end
	return found, optional
end

--- The classes of some files by name.
---@param files table[] what annotations.read gave
---@return table classes
function match.classes(files)
	local classes = {}
	for _, file in ipairs(files) do
		for _, class in ipairs(file.classes) do
			class.file = file
			classes[class.name] = class
		end
	end
	return classes
end

--- Compares a table with a class, and what is in the table with the classes of its fields.
---@param classes table from match.classes
---@param name string of the class
---@param value table
---@return string[] problems in alphabetical order
function match.compare(classes, name, value)
	local problems = {}
	local declared, optional = members(classes[name])
	for field in pairs(value) do
		if not declared[field] then
			problems[#problems + 1] = ("%s.%s is there, but not declared"):format(name, tostring(field))
		end
	end
	for field, node in pairs(declared) do
		local title, there = name .. "." .. field, value[field]
		local wanted = classes[node.name] and "table" or lua_type(node)
		if there == nil then
			if not optional[field] then
				problems[#problems + 1] = title .. " is declared, but not there"
			end
		elseif type(there) ~= wanted then
			problems[#problems + 1] = ("%s is a %s, and declared as %s"):format(title, type(there), wanted)
		elseif classes[node.name] then
			for _, problem in ipairs(match.compare(classes, node.name, there)) do
				problems[#problems + 1] = problem
			end
		end
	end
	table.sort(problems)
	return problems
end

return match
