--- Reference pages of what annotations.lua has read, in Markdown.

local annotations = dofile("tools/docs/annotations.lua")

local markdown = {}

--- What GitHub makes of a heading.
local function anchor(heading)
	return (heading:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

--- The name that a file is required by.
function markdown.module_name(path)
	return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/", "."))
end

local function class_heading(name)
	return "Class " .. name
end

local function alias_heading(name)
	return "Type " .. name
end

--- Where the page of each public module is and what it says of which class.
---@param files table[] what annotations.read gave, each with the `name` of its module
---@return table links addresses by the names of classes and modules
function markdown.links(files)
	local links = {}
	for _, file in ipairs(files) do
		local module = markdown.module_name(file.path)
		links[module] = { page = module .. ".md", file = file }
		for _, class in ipairs(file.classes) do
			if class.variable ~= file.returned then
				links[class.name] = { page = module .. ".md", anchor = anchor(class_heading(class.name)) }
			elseif class.name ~= module then
				links[class.name] = links[module]
			end
		end
		for _, alias in ipairs(file.aliases) do
			links[alias.name] = { page = module .. ".md", anchor = anchor(alias_heading(alias.name)) }
		end
	end
	return links
end

--- A page being written.
local Page = {}
Page.__index = Page

function Page:add(...)
	for _, text in ipairs({ ... }) do
		self[#self + 1] = text
	end
end

--- A paragraph, or several, with one empty line behind.
function Page:paragraph(text)
	if text ~= "" then
		self:add(text, "")
	end
end

--- A table; columns in which no row has anything are left out.
function Page:table(head, rows)
	local columns, rule = {}, {}
	for column = 1, #head do
		local used = false
		for _, row in ipairs(rows) do
			used = used or row[column] ~= ""
		end
		if used then
			columns[#columns + 1], rule[#rule + 1] = column, "---"
		end
	end
	local function line(cells)
		local kept = {}
		for place, column in ipairs(columns) do
			kept[place] = cells[column] == "" and " " or " " .. cells[column] .. " "
		end
		self:add("|" .. table.concat(kept, "|") .. "|")
	end
	if #rows > 0 then
		line(head)
		self:add("|" .. table.concat(rule, "|") .. "|")
		for _, row in ipairs(rows) do
			line(row)
		end
		self:add("")
	end
end

function Page:link(name)
	local link = self.links[name]
	if not link then
		return nil
	end
	local page = link.page ~= self.page and link.page or ""
	local address = page .. (link.anchor and "#" .. link.anchor or "")
	return address ~= "" and address or nil
end

--- Code, with a link if it names something that has a place.
local function code(name, address)
	local text = "`" .. name .. "`"
	return address and ("[%s](%s)"):format(text, address) or text
end

--- A type in words as far as they help.
function Page:type(node)
	if node.kind == "union" then
		local parts = {}
		for index, part in ipairs(node.parts) do
			parts[index] = self:type(part)
		end
		return table.concat(parts, " or ")
	elseif node.kind == "array" then
		return "list of " .. self:type(node.of)
	elseif node.kind == "group" then
		return "(" .. self:type(node.inner[1]) .. ")"
	end
	return code(node.text, node.kind == "name" and self:link(node.name))
end

--- The same where nil is one of the values.
function Page:type_or_nil(entry)
	return self:type(entry.type) .. (entry.type.optional and " or nil" or "")
end

--- The text of a comment, with its lines as they are.
local function joined(lines)
	return (table.concat(lines, "\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

--- The text of an annotation, in one line.
local function flattened(lines)
	return (joined(lines):gsub("%s*\n%s*", " "))
end

--- What fits into a cell of a table.
local function cell(text)
	return (text:gsub("|", "\\|"))
end

--- Takes the default out of a text that says "...; 5000 by default. ...".
---@return string? default
---@return string text without it
function markdown.split_default(text)
	local stop, after = text:find(" by default%f[%W]")
	if not stop then
		return nil, text
	end
	local start, before = 1, ""
	for position, behind in text:sub(1, stop - 1):gmatch("()[;,.:]%s+()") do
		start, before = behind, text:sub(1, position - 1)
	end
	local rest = text:sub(after + 1)
	if before == "" then
		rest = rest:gsub("^[;,.:]?%s*", "")
	end
	return text:sub(start, stop - 1), before .. rest
end

--- The first sentence of a comment.
local function first_sentence(lines)
	local paragraph = {}
	for _, line in ipairs(lines) do
		if line == "" or line:find("^%- ") then
			break
		end
		paragraph[#paragraph + 1] = line
	end
	local text = table.concat(paragraph, " ")
	return text:match("^(.-%.)%s") or text
end

--- The paragraphs of a comment: those that say what is raised apart.
local function paragraphs(lines)
	local prose, raised = {}, {}
	for paragraph in (joined(lines) .. "\n\n"):gmatch("(.-)\n\n+") do
		local list = paragraph:find("^Raises ") and raised or prose
		list[#list + 1] = paragraph
	end
	return table.concat(prose, "\n\n"), raised
end

--- What to show of a function, wherever it is declared: its name, parameters, returns and comment.
local function as_function(name, item)
	local comment = item.comment
	return {
		name = name,
		parameters = comment.params,
		returns = comment.returns,
		prose = comment.prose,
		waits = comment.async,
	}
end

--- The same of a field whose type is a function: a method if its first parameter is `self`, called by the
--- last part of what that is.
local function field_as_function(owner, field)
	local parameters, mark = {}, "."
	for index, param in ipairs(field.type.params) do
		if index == 1 and param.name == "self" then
			owner, mark = param.type.text:match("[%w_]+$"), ":"
		else
			parameters[#parameters + 1] =
				{ name = param.name, type = param.type, optional = param.optional, text = {} }
		end
	end
	local returns = {}
	for index, node in ipairs(field.type.returns) do
		returns[index] = { type = node, optional = node.optional, text = {} }
	end
	return { name = owner .. mark .. field.name, parameters = parameters, returns = returns, prose = field.text }
end

local function signature(shown)
	local names, returned = {}, {}
	for index, param in ipairs(shown.parameters) do
		names[index] = param.name .. (param.optional and param.name ~= "..." and "?" or "")
	end
	for index, entry in ipairs(shown.returns) do
		local mark = entry.type.optional and not entry.type.text:find("nil$") and "?" or ""
		returned[index] = entry.name or entry.type.text .. mark
	end
	local text = ("`%s(%s)`"):format(shown.name, table.concat(names, ", "))
	if #returned > 0 then
		text = text .. " → `" .. table.concat(returned, ", ") .. "`"
	end
	return text .. (shown.waits and " *[waits](README.md#waits)*" or "")
end

--- The rows of parameters or options, with a default where something may be left out.
function Page:entries(head, entries, has_defaults)
	local rows = {}
	for _, entry in ipairs(entries) do
		local default, text = "", flattened(entry.text)
		if has_defaults then
			default = "required"
			if entry.may_be_left_out or entry.optional then
				local found, rest = markdown.split_default(text)
				default, text = found or "none", rest
			end
		end
		local shown = has_defaults and self:type(entry.type) or self:type_or_nil(entry)
		rows[#rows + 1] = { "`" .. entry.name .. "`", cell(shown), cell(default), cell(text) }
	end
	self:table({ head, "type", "default", "" }, rows)
end

--- A line on one result, whose type is shown already.
local function result_line(entry, shown)
	local name = entry.name and "`" .. entry.name .. "`, " or ""
	local text = flattened(entry.text)
	return ("- %s%s%s"):format(name, shown, text ~= "" and ": " .. text or "")
end

function Page:call(shown)
	local prose, raised = paragraphs(shown.prose)
	self:add("### " .. shown.name, "", signature(shown), "")
	self:paragraph(prose)
	local has_defaults = false
	for _, param in ipairs(shown.parameters) do
		has_defaults = has_defaults or param.optional
	end
	self:entries("parameter", shown.parameters, has_defaults)
	local results, errors = {}, {}
	for index, entry in ipairs(shown.returns) do
		if index > 1 and annotations.REASONS[entry.name] then
			errors[#errors + 1] = result_line(entry, self:type(entry.type))
		else
			results[#results + 1] = result_line(entry, self:type_or_nil(entry))
		end
	end
	for _, paragraph in ipairs(raised) do
		errors[#errors + 1] = "- " .. paragraph:gsub("\n", "\n  ")
	end
	if #results > 0 then
		self:add("Returns:", "", table.concat(results, "\n"), "")
	end
	if #errors > 0 then
		self:add("Errors:", "", table.concat(errors, "\n"), "")
	end
end

--- Splits what a table has into functions, values and other names of functions.
local function contents(file, variable, shown_as, class)
	local found = { functions = {}, values = {}, aliases = {} }
	for _, item in ipairs(file.items) do
		local comment = item.comment
		local owner, name = annotations.target_of(item)
		local is_public = item.owner == variable and not item.name:find("^_")
		if is_public and owner then
			found.aliases[#found.aliases + 1] = { name = shown_as .. item.mark .. item.name, owner = owner, target = name }
		elseif is_public and (item.parameters or #comment.params > 0 or #comment.returns > 0) then
			found.functions[#found.functions + 1] = as_function(shown_as .. item.mark .. item.name, item)
		elseif is_public then
			found.values[#found.values + 1] =
				{ name = shown_as .. "." .. item.name, type = comment.type, text = comment.prose, value = item.value }
		end
	end
	for _, field in ipairs(class and class.comment.fields or {}) do
		if field.type.kind == "function" and class.variable then
			found.functions[#found.functions + 1] = field_as_function(shown_as, field)
		elseif not field.hidden and class.variable then
			found.values[#found.values + 1] =
				{ name = shown_as .. "." .. field.name, type = field.type, text = field.text }
		end
	end
	return found
end

--- The definition of a name of a variable in a file; nil when there is none.
local function definition(file, owner, name)
	for _, item in ipairs(file.items) do
		if item.owner == owner and item.name == name then
			return item
		end
	end
end

--- Where a definition is shown that another name stands for, at the end of a row of such names.
function Page:target(file, alias)
	local owner, name = alias.owner, alias.target
	local item
	repeat
		local module = self.links[file.requires[owner]]
		if module then
			file, owner = module.file, module.file.returned
		end
		item = definition(file, owner, name)
		local next_owner, next_name
		if item then
			next_owner, next_name = annotations.target_of(item)
		end
		owner, name = next_owner or owner, next_name or name
	until not next_owner
	local shown = (owner == file.returned and file.name or owner) .. (item and item.mark or ".") .. name
	local page = markdown.module_name(file.path) .. ".md"
	return code(shown, (page ~= self.page and page or "") .. "#" .. anchor(shown))
end

function Page:values(values)
	local rows = {}
	for index, value in ipairs(values) do
		local text = flattened(value.text)
		local known = value.value and value.value:match("^%d+$") or ""
		local shown = value.type and cell(self:type(value.type)) or ""
		rows[index] = { "`" .. value.name .. "`", shown, known, cell(text) }
	end
	self:table({ "value", "type", "is", "" }, rows)
end

--- The functions of a table at a glance, when there are several.
function Page:overview(functions)
	local rows = {}
	for index, shown in ipairs(functions) do
		local name = code(shown.name, "#" .. anchor(shown.name))
		rows[index] = { name .. (shown.waits and " *waits*" or ""), cell(first_sentence(shown.prose)) }
	end
	if #rows > 1 then
		self:table({ "function", "" }, rows)
	end
end

function Page:class(file, class)
	self:add("## " .. class_heading(class.name), "")
	self:paragraph(joined(class.comment.prose))
	if class.parent then
		self:paragraph(("It is a %s."):format(code(class.parent, self:link(class.parent))))
	end
	local fields, optional = {}, false
	for _, field in ipairs(class.comment.fields) do
		if not field.hidden then
			fields[#fields + 1] = field
			optional = optional or field.may_be_left_out
		end
	end
	self:entries(optional and "option" or "field", fields, optional)
	if class.variable then
		local found = contents(file, class.variable, class.variable)
		self:overview(found.functions)
		for _, shown in ipairs(found.functions) do
			self:call(shown)
		end
		self:others(file, found.aliases)
	end
end

function Page:others(file, aliases)
	local rows = {}
	for index, alias in ipairs(aliases) do
		rows[index] = { "`" .. alias.name .. "`", self:target(file, alias) }
	end
	self:table({ "other name", "of" }, rows)
end

--- The page of one public module.
---@param file table what annotations.read gave, with the `name` of its module
---@param links table from markdown.links
---@return string
function markdown.page(file, links)
	local module = markdown.module_name(file.path)
	local page = setmetatable({ links = links, page = module .. ".md" }, Page)
	local own = annotations.class_of(file, file.returned)
	page:add("# " .. module, "")
	page:add("<!-- `make docs` writes this page from " .. file.path .. ": change the text there. -->", "")
	page:add("```lua", ('local %s = require "%s"'):format(file.name, module), "```", "")
	page:paragraph(joined(file.header))
	local found = contents(file, file.returned, file.name, own)
	if file.returned == "function" then
		for _, item in ipairs(file.items) do
			if item.name == "return" then
				found.functions[1] = as_function(file.name, item)
			end
		end
	end
	page:overview(found.functions)
	if own then
		page:paragraph(joined(own.comment.prose))
	end
	if file.variables[file.returned] and file.variables[file.returned].type then
		local variable = file.variables[file.returned]
		page:values({ { name = file.name, type = variable.type, text = variable.prose } })
	end
	page:values(found.values)
	for _, shown in ipairs(found.functions) do
		page:call(shown)
	end
	if #found.aliases > 0 then
		page:add("## Other names", "")
		page:others(file, found.aliases)
	end
	for _, class in ipairs(file.classes) do
		if class ~= own then
			page:class(file, class)
		end
	end
	for _, alias in ipairs(file.aliases) do
		page:add("## " .. alias_heading(alias.name), "")
		page:paragraph(joined(alias.comment.prose))
		page:paragraph("It is " .. page:type(alias.type) .. ".")
	end
	return (table.concat(page, "\n"):gsub("\n+$", "")) .. "\n"
end

--- The page that leads to the others.
---@param files table[] as for markdown.links
---@return string
function markdown.index(files)
	local page = setmetatable({ links = {}, page = "README.md" }, Page)
	page:add("# Reference", "")
	page:add("<!-- `make docs` writes these pages from the annotations in lua/. -->", "")
	local rows = {}
	for index, file in ipairs(files) do
		local module = markdown.module_name(file.path)
		rows[index] = { code(module, module .. ".md"), cell(first_sentence(file.header)) }
	end
	page:table({ "module", "" }, rows)
	page:add(markdown.INTRODUCTION)
	return table.concat(page, "\n")
end

--- What holds for all pages.
markdown.INTRODUCTION = [[
What the modules do together, and what is promised, is in the [README](../../README.md).

## Reading a page

`cluster.listen(addr, backlog?)` → `listener, err` is a function with an argument that may be left out,
and two results. Where a default is `none`, leaving the argument out is the same as nil.

Durations are in milliseconds unless the page says otherwise, sizes in bytes.

## Waits

A function that *waits* suspends the task that calls it while others run. It must be called in a task,
not inside a coroutine of the script's own, nor with a C function in between (`table.sort`,
`string.gsub`, `require`; on Lua 5.1 also `pcall`); otherwise it raises an error that says so.

## Errors

What the network, the system or the other end does is told by results: nil, or false, and a message.

Mistakes in the use of a function raise an error that names the function, the argument, what was wanted
and what was given: an argument of the wrong type or out of range, an unknown option (the error names
the nearest known one), a method called with a dot. It points at the line that made the call. The pages
mention what else a function raises.

## In an editor

A language server for Lua, such as LuaLS or EmmyLua, shows the same texts and checks types once the folders
`lua` and `types` of a checkout are in its library setting.
]]

return markdown
