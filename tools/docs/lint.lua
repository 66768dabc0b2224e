--- What is wrong with the annotations of a file.

local annotations = dofile("tools/docs/annotations.lua")
local types = dofile("tools/docs/types.lua")

local lint = {}

--- The types that files declare.
---@param files table[] what annotations.read gave
---@return table<string, true> known by name
function lint.declared(files)
	local known = {}
	for _, file in ipairs(files) do
		for _, list in ipairs({ file.classes, file.aliases }) do
			for _, declaration in ipairs(list) do
				known[declaration.name] = true
			end
		end
	end
	return known
end

--- Checks what holds for every file: annotations are known and well formed, their types are declared, and
--- the parameters they name are the function's.
---@param file table
---@param known table<string, true> from lint.declared
---@param complain fun(line: integer, text: string)
function lint.every(file, known, complain)
	for _, comment in ipairs(file.comments) do
		for _, problem in ipairs(comment.problems) do
			complain(problem.line, problem.text)
		end
		for _, used in ipairs(comment.types) do
			types.each_name(used.type, function(name)
				if not known[name] then
					complain(used.line, "no type is called " .. name)
				end
			end)
		end
	end
	for _, item in ipairs(file.items) do
		local given = item.parameters
		if not given and item.comment.type and item.comment.type.kind == "function" then
			given = {}
			for index, param in ipairs(item.comment.type.params) do
				given[index] = param.name
			end
		end
		lint.parameters(item, given, complain)
	end
end

--- The annotated parameters must be some of the function's, in its order.
function lint.parameters(item, given, complain)
	local place = 0
	for _, param in ipairs(given and item.comment.params or {}) do
		local found
		for index = place + 1, #given do
			found = found or given[index] == param.name and index
		end
		if not found then
			complain(param.line, ("%s has no parameter %s here"):format(item.name, param.name))
		end
		place = found or place
	end
end

--- True when the function that begins here returns something, its inner functions aside.
local function returns_something(lines, at)
	local indent = lines[at]:match("^(\t*)")
	local inner
	for index = at + 1, #lines do
		local line = lines[index]
		if inner then
			if line:find("^" .. inner .. "end") then
				inner = nil
			end
		elseif line:find("^" .. indent .. "end") then
			return false
		elseif line:find("%f[%w]function[%s%w_.:]*%(") and not line:find("%f[%w]end%f[%W]") then
			inner = line:match("^(\t*)")
		elseif line:find("%f[%w]return%s+%S") and not line:find("return%s+end%f[%W]") then
			return true
		end
	end
	return false
end

--- True when the function that begins here makes the task that calls it wait.
local function waits(lines, at)
	for index = at + 1, #lines do
		local line = lines[index]
		if line:find("^end") then
			return false
		elseif line:find("scheduler%.task%(") or line:find("enter%(name%)") then
			return true
		end
	end
	return false
end

--- What may be left out says what stands for it.
local function lacks_default(entry)
	return entry.optional and entry.name ~= "..." and not table.concat(entry.text, " "):find(" by%s+default")
end

--- A public function says what it does, and what each parameter and result is.
local function check_function(file, item, complain)
	local comment, name = item.comment, item.name
	local at = item.line
	if not comment:says_something() then
		complain(at, name .. " has no sentence that says what it does")
	end
	local annotated = {}
	for _, param in ipairs(comment.params) do
		annotated[param.name] = true
		if table.concat(param.text) == "" then
			complain(param.line, ("%s: nothing says what %s is"):format(name, param.name))
		elseif lacks_default(param) then
			complain(param.line, ("%s: nothing says what %s is by default"):format(name, param.name))
		end
	end
	for _, parameter in ipairs(item.parameters or {}) do
		if not annotated[parameter] then
			complain(at, ("%s: no ---@param %s"):format(name, parameter))
		end
	end
	for index, entry in ipairs(comment.returns) do
		if not entry.name then
			complain(entry.line, name .. ": a result has no name")
		elseif index > 1 and annotations.REASONS[entry.name] and table.concat(entry.text) == "" then
			complain(entry.line, ("%s: nothing says what %s can be"):format(name, entry.name))
		end
	end
	local declared = comment.type and comment.type.kind == "function" and comment.type
	if declared and (#declared.params ~= #comment.params or #declared.returns ~= #comment.returns) then
		complain(at, name .. ": its ---@type has other parameters or results")
	end
	if item.parameters then
		local returns = returns_something(file.lines, at)
		if returns and #comment.returns == 0 then
			complain(at, name .. ": no ---@return")
		elseif not returns and #comment.returns > 0 then
			complain(at, name .. " returns nothing")
		end
		if waits(file.lines, at) and not comment.async then
			complain(at, name .. ": no ---@async")
		end
	end
end

--- The fields of a class have a text. Options, which may be left out, say their defaults, and what too
--- little and too much of a number does.
local function check_class(class, complain)
	for _, field in ipairs(class.comment.fields) do
		local text = table.concat(field.text, " ")
		local title = class.name .. "." .. field.name
		if not field.hidden and not text:find("%a") then
			complain(field.line, "nothing says what " .. title .. " is")
		end
		if field.may_be_left_out and field.type.kind ~= "function" then
			if lacks_default(field) then
				complain(field.line, "nothing says what " .. title .. " is by default")
			end
			if field.type.text:find("^integer") and not text:find("[Tt]oo .*[;.].+") then
				complain(field.line, "nothing says what too little and too much of " .. title .. " does")
			end
		end
	end
end

--- Checks the classes of a file that scripts get to know.
---@param file table
---@param complain fun(line: integer, text: string)
function lint.classes(file, complain)
	for _, class in ipairs(file.classes) do
		check_class(class, complain)
	end
end

--- Checks a public file: everything that scripts get from it is explained, and named in the README.
---@param file table with the `name` of its module
---@param mentions fun(name: string): boolean whether the README has a name
---@param complain fun(line: integer, text: string)
function lint.public(file, mentions, complain)
	local fields = {}
	lint.classes(file, complain)
	for _, class in ipairs(file.classes) do
		for _, field in ipairs(class.comment.fields) do
			fields[field.name] = true
			if class.variable == file.returned and not mentions(field.name) then
				complain(field.line, field.name .. " is not in the README")
			end
		end
	end
	for _, item in ipairs(file.items) do
		local module = item.name == "return"
		local owner = item.owner
		local is_public = owner and (owner == file.returned or annotations.class_of(file, owner))
		if module or is_public and not item.name:find("^_") then
			local comment, name = item.comment, module and file.name or item.name
			if item.parameters or #comment.params > 0 or #comment.returns > 0 then
				check_function(file, item, complain)
			elseif not (comment:says_something() or fields[name] or annotations.target_of(item)) then
				complain(item.line, name .. " has neither a comment nor a ---@field")
			end
			if not mentions(name) then
				complain(item.line, name .. " is not in the README")
			end
		end
	end
end

return lint
