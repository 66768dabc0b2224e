--- The fenced blocks of a Markdown text.

local markdown = {}

---@class markdown.block
---@field line integer where its fence begins
---@field language string "" without one
---@field lines string[]
---@field text string all of it
---@field marks table<string, string> of the comments right above: `<!-- key: value -->`, `<!-- key -->`

--- The marks of the comments above a fence, with nothing but blank lines in between.
local function marks_above(lines, fence)
	local marks = {}
	local index = fence - 1
	while index > 0 do
		local comment = lines[index]:match("^<!%-%- (.*) %-%->$")
		if comment then
			local key, value = comment:match("^([%a ]+): (.+)$")
			marks[key or comment] = value or ""
		elseif lines[index] ~= "" then
			break
		end
		index = index - 1
	end
	return marks
end

--- All blocks of a text, in their order.
---@return markdown.block[]
function markdown.blocks(text)
	local lines, blocks, block = {}, {}, nil
	for line in (text .. "\n"):gmatch("(.-)\n") do
		lines[#lines + 1] = line
		local language = line:match("^```(.*)$")
		if block and language == "" then
			block.text = table.concat(block.lines, "\n") .. "\n"
			blocks[#blocks + 1] = block
			block = nil
		elseif block then
			block.lines[#block.lines + 1] = line
		elseif language then
			block = { line = #lines, language = language, lines = {}, marks = marks_above(lines, #lines) }
		end
	end
	assert(not block, "a block has no end")
	return blocks
end

return markdown
