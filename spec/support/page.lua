--- Runs the blocks of a page, in their order, in a directory of its own that looks like the top of the
--- checkout:
---
--- - A block whose first line is a comment with a file's name becomes that file. Some other block must
---   name it.
--- - Any other `lua` block is a script, any other `sh` block a shell's. Both must end with status 0.
--- - `text` blocks, and those without a language, are what the last one has printed.
---
--- Comments right above a block say what is different: `<!-- not run: why -->`; `<!-- needs: x -->`, a
--- module of Lua or a `Lua 5.4`, without which it is not run; `<!-- terminal: x -->`, for a shell block,
--- leaves it running, for a text block has it be what came from there next; `<!-- prints: command -->`
--- names the command.
---
--- In a text `<word>` stands for a word that may differ, `...` for lines in between; ports that the
--- system has chosen and the time in the log differ always. Lines that begin with a `[name]` are compared
--- name by name, since they come from processes of their own.

local markdown = require "spec.support.markdown"
local shell = require "spec.support.shell"

local page = {}

--- What takes longer hangs: seconds.
local LIMIT = 15

--- The comment that names a file, by the language of a block.
local FILE = {
	lua = "^%-%- ([%w_/.-]+%.%a+)$",
	c = "^// ([%w_/.-]+%.%a+)$",
	rust = "^// ([%w_/.-]+%.%a+)$",
	toml = "^# ([%w_/.-]+%.%a+)$",
}

--- What `make` does here. The library is built already; building it again beside running tests would take
--- a minute, and exchange it under them.
local MAKE = [[#!/bin/sh
case $* in
build) exec test -f '%s/build/silly/core.so' ;;
demo) exec '%s/examples/demo' '%s' ;;
esac
exec '%s' --no-print-directory -C '%s' "$@"
]]

local function line_of(command)
	local pipe = assert(io.popen(command))
	local line = pipe:read("*l")
	pipe:close()
	return line
end

local function write(path, text)
	local file = assert(io.open(path, "wb"))
	file:write(text)
	file:close()
end

local function quoted(text)
	return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- A directory like the top of the checkout, with the commands that pages name.
local function new_directory()
	local directory = assert(line_of("mktemp -d"))
	assert(line_of(("cd %s && mkdir .commands && ln -s '%s' .commands/lua5.4 && ln -s '%s/bin' '%s/build' "
		.. "'%s/examples' '%s/lua' . && echo made"):format(
		directory, assert(line_of("command -v " .. shell.lua)), shell.root, shell.root, shell.root, shell.root
	)) == "made")
	local make = assert(line_of("command -v make"))
	write(directory .. "/.commands/make", MAKE:format(shell.root, shell.root, shell.lua, make, shell.root))
	assert(line_of("chmod +x " .. directory .. "/.commands/make && echo done") == "done")
	return directory
end

--- A line of a text as a pattern.
local function pattern_of(line)
	local pattern = line:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0")
	pattern = pattern:gsub("<%a+>", "%%S+"):gsub("127%%%.0%%%.0%%%.1:%d%d%d%d%d", "127%%.0%%.0%%.1:%%d+")
	pattern = pattern:gsub("^%d+%%%-%d+%%%-%d+ %d+:%d+:%d+", "%%d+%%-%%d+%%-%%d+ %%d+:%%d+:%%d+")
	return "^" .. pattern .. "$"
end

--- Lines by the name that they begin with, in brackets.
local function by_name(lines)
	local groups = {}
	for _, line in ipairs(lines) do
		local name = line:match("^%[(%l+)%] ") or ""
		groups[name] = groups[name] or {}
		table.insert(groups[name], line)
	end
	return groups
end

--- The first line that was promised and not printed, or printed and not promised.
---@param gaps boolean others may come in between
---@return string? problem
local function difference(promised, printed, gaps)
	local at = 1
	for _, want in ipairs(promised) do
		local pattern = pattern_of(want)
		while gaps and printed[at] and not printed[at]:find(pattern) do
			at = at + 1
		end
		if not (printed[at] and printed[at]:find(pattern)) then
			return ("promised %q, printed %q"):format(want, printed[at] or "nothing more")
		end
		at = at + 1
	end
	if not gaps and printed[at] then
		return ("printed %q, which is not promised"):format(printed[at])
	end
end

--- Compares what was printed with a text.
---@return string? problem
local function compare(text, printed)
	local promised, gaps = {}, false
	for _, line in ipairs(text) do
		if line == "..." then
			gaps = true
		else
			promised[#promised + 1] = line
		end
	end
	local wanted, got = by_name(promised), by_name(printed)
	for _, groups in ipairs { wanted, got } do
		for name in pairs(groups) do
			local problem = difference(wanted[name] or {}, got[name] or {}, gaps)
			if problem then
				return problem .. "; all of it:\n" .. table.concat(printed, "\n")
			end
		end
	end
end

local Run = {}
Run.__index = Run

--- A command as a shell gets it: in the directory, with the library and the commands of the checkout.
function Run:environment()
	return ("cd '%s' && exec env -u LUA_INIT -u LUA_PATH_5_4 -u LUA_CPATH_5_4 PATH='%s/.commands':\"$PATH\" "
		.. "LUA='%s' LUA_PATH='%s/lua/?.lua;./?.lua;;' LUA_CPATH='%s/build/?.so;;' timeout -s KILL %d "):format(
		self.directory, self.directory, shell.lua, shell.root, shell.root, LIMIT)
end

--- Runs a command to its end: the lines that it has printed.
function Run:command(command)
	local pipe = assert(io.popen(("( %s%s ) 2>&1 </dev/null; echo \"status $?\""):format(
		self:environment(), command)))
	local lines = {}
	for line in pipe:lines() do
		lines[#lines + 1] = line
	end
	pipe:close()
	local last, status = table.remove(lines):match("^(.*)status (%d+)$")
	if last ~= "" then
		lines[#lines + 1] = last
	end
	if status ~= "0" then
		error(("ended with status %s:\n%s"):format(status, table.concat(lines, "\n")), 0)
	end
	return lines
end

--- Whether there is what a block needs: the version of Lua, or a module where the page runs.
function Run:has(what)
	local version = what:match("^Lua %d")
	return what == _VERSION or not version and (pcall(self.command, self, "lua5.4 -e 'require \"" .. what .. "\"'"))
end

--- Starts a shell's script that runs on.
function Run:start(name, script)
	local pipe = assert(io.popen(("echo $$; %ssh -eu '%s' 2>&1 </dev/null"):format(self:environment(), script)))
	self.terminals[name] = { pipe = pipe, pid = assert(pipe:read("*l")) }
end

--- Does what a block asks for.
function Run:block(block, index)
	local marks, language = block.marks, block.language
	local is_text = language == "text" or language == ""
	if marks["not run"] or (marks.needs and not self:has(marks.needs)) then
		self.printed = nil
		self.left_out = not is_text
		return
	end
	local name = FILE[language] and block.lines[1]:match(FILE[language])
	if is_text then
		self:compare(block)
	elseif name then
		assert(line_of(("mkdir -p \"$(dirname '%s/%s')\" && echo made"):format(self.directory, name)))
		write(self.directory .. "/" .. name, block.text)
		self.files[#self.files + 1] = { name = name, index = index }
	elseif language == "lua" or language == "sh" then
		local script = ("block-%d.%s"):format(block.line, language)
		write(self.directory .. "/" .. script, block.text)
		self.left_out = false
		if marks.terminal then
			self.printed = nil
			self:start(marks.terminal, script)
		else
			self.printed = self:command((language == "lua" and "lua5.4 " or "sh -eu ") .. script)
		end
	else
		error("this block is neither run nor marked", 0)
	end
end

--- Compares a text with what was printed.
function Run:compare(block)
	local terminal = block.marks.terminal
	local printed = self.printed
	if block.marks.prints then
		printed = self:command("sh -euc " .. quoted(block.marks.prints))
	elseif terminal then
		local running = self.terminals[terminal] or error("there is no terminal " .. terminal, 0)
		printed = {}
		for index = 1, #block.lines do
			printed[index] = running.pipe:read("*l")
		end
	elseif self.left_out then
		return
	elseif not printed then
		error("this text is neither what a block has printed nor marked", 0)
	end
	local problem = compare(block.lines, printed)
	if problem then
		error(problem, 0)
	end
end

--- Ends what runs on, and removes the directory.
function Run:close()
	for _, running in pairs(self.terminals) do
		os.execute("kill " .. running.pid .. " 2>/dev/null")
		running.pipe:close()
	end
	os.execute("rm -rf '" .. self.directory .. "'")
end

--- Demands that some other block names each file.
local function demand_use(files, blocks)
	for _, file in ipairs(files) do
		local used = false
		for index, block in ipairs(blocks) do
			local stem = file.name:match("([^/]*)%.%a+$")
			used = used or (index ~= file.index and block.text:find(stem, 1, true) ~= nil)
		end
		if not used then
			error(("line %d: nothing uses the file %s"):format(blocks[file.index].line, file.name), 0)
		end
	end
end

--- Runs all blocks of a page; raises what is wrong, with its line.
---@param text string Markdown
---@return integer run how many blocks were run, written or compared
function page.run(text)
	local blocks, done = markdown.blocks(text), 0
	local run = setmetatable({ directory = new_directory(), files = {}, terminals = {} }, Run)
	local ok, problem = pcall(function()
		for index, block in ipairs(blocks) do
			local fine, why = pcall(run.block, run, block, index)
			if not fine then
				error(("line %d: %s"):format(block.line, tostring(why)), 0)
			end
			done = done + (block.marks["not run"] and 0 or 1)
		end
		demand_use(run.files, blocks)
	end)
	run:close()
	if not ok then
		error(problem, 0)
	end
	return done
end

return page
