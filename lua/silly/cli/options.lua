--- The arguments of the commands: words, and options that may stand before or behind them.

local options = {
	--- What the launcher was called as, in texts that people type after.
	launcher = "silly",
}

--- Prints what a command says of itself, with the launcher's name for SILLY, and ends the process.
---@param command {usage: string}
function options.help(command)
	io.write((command.usage:gsub("SILLY", { SILLY = options.launcher })))
	os.exit(0)
end

--- A mistake in a command's arguments: ends the process.
---@param command {name: string}
---@param message string
function options.misused(command, message)
	io.stderr:write(("silly %s: %s\n\"%s help %s\" says more\n"):format(
		command.name, message, options.launcher, command.name))
	os.exit(2)
end

--- A whole number in decimal or, behind 0x, in hexadecimal digits; nil if it is none or out of range.
---@param text string
---@param least integer
---@param most integer
---@return integer?
function options.integer(text, least, most)
	local number = text:find("^%d+$") and tonumber(text, 10) or text:find("^0[xX]%x+$") and tonumber(text)
	if number and number >= least and number <= most then
		return number
	end
end

--- The value of an option as its rule wants it.
local function value_of(command, name, rule, text)
	if not rule.least then
		return text
	end
	local number
	if rule.fraction then
		number = text:find("^%d*%.?%d*$") and tonumber(text)
		number = number and number >= rule.least and number <= rule.most and number
	else
		number = options.integer(text, rule.least, rule.most)
	end
	if not number then
		options.misused(command, ("--%s must be a %s from %s to %s, got %s"):format(
			name, rule.fraction and "number" or "whole number", rule.least, rule.most, text))
	end
	return number
end

--- Reads a command's arguments. Behind "--" all are words.
---@param command {name: string, usage: string, options: table<string, table>} a rule for each option: `flag`
---  if it has no value; else its `default` and, for numbers, the `least` and the `most`, and `fraction` if
---  they need not be whole
---@param first integer where in `arg` they begin
---@return table<string, any> values
---@return string[] words
function options.read(command, first)
	local values, words = {}, {}
	for name, rule in pairs(command.options) do
		values[name] = rule.default
	end
	local index, only_words = first, false
	while arg[index] do
		local word = arg[index]
		local name, text = word:match("^%-%-([%l-]+)=?(.*)$")
		local rule = command.options[name]
		if only_words or not word:find("^%-.") then
			words[#words + 1] = word
		elseif word == "--" then
			only_words = true
		elseif word == "--help" or word == "-h" then
			options.help(command)
		elseif not rule then
			options.misused(command, "unknown option " .. word)
		elseif rule.flag then
			if word:find("=", 1, true) then
				options.misused(command, ("--%s has no value"):format(name))
			end
			values[name] = true
		else
			if not word:find("=", 1, true) then
				index = index + 1
				text = arg[index] or options.misused(command, ("--%s needs a value"):format(name))
			end
			values[name] = value_of(command, name, rule, text)
		end
		index = index + 1
	end
	return values, words
end

return options
