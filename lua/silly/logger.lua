--- The log: one line per message, on standard error or wherever `logger.setoutput` says.
--
--     2026-01-31 12:00:00 00000000beef0001 I server.lua:12 listening on 127.0.0.1:8888
--
-- These are date, time, the current task's trace id, the level's letter, where, and what. A newline in a
-- value is written as it is.
--
-- Logging never waits for whoever reads: lines that cannot be written are kept up to 1 MiB and
-- dropped beyond, which the log itself says once there is room again. All Lua states of a process
-- share one output.

local core = require "silly.internal.core"
local check = require "silly.internal.check"
local log = require "silly.internal.log"

---@class silly.logger
local logger = {
	--- 0: what only somebody looking for a fault wants to read
	DEBUG = log.DEBUG,
	--- 1: what is normal
	INFO = log.INFO,
	--- 2: what may become trouble
	WARN = log.WARN,
	--- 3: what went wrong
	ERROR = log.ERROR,
}

local LEVELS = { [log.DEBUG] = true, [log.INFO] = true, [log.WARN] = true, [log.ERROR] = true }

--- Tables are shown to this depth.
local DEPTH = 5

local show

local function show_table(value, depth)
	if depth == 0 then
		return ""
	end
	local parts = {}
	for key, item in next, value do -- whatever its metatable says: logging must not raise
		local name = type(key) == "string" and key or "[" .. show(key, depth - 1, true) .. "]"
		parts[#parts + 1] = name .. "=" .. show(item, depth - 1, true) .. ","
	end
	return "{" .. table.concat(parts) .. "}"
end

function show(value, depth, quoted)
	if type(value) == "table" then
		return show_table(value, depth)
	elseif type(value) == "string" and quoted then
		return '"' .. value .. '"'
	end
	local named, text = pcall(tostring, value)
	return named and text or "(a " .. type(value) .. " whose tostring fails)"
end

--- Where in the script the logging call stands.
local function where(depth)
	local info = debug and debug.getinfo(depth + 1, "Sl")
	if info and info.currentline and info.currentline > 0 then
		return info.short_src .. ":" .. info.currentline .. " "
	end
	return ""
end

--- Writes all values, separated by spaces; tables with what is in them.
local function plain(number, ...)
	if number < log.level then
		return
	end
	local parts = { ... }
	for index = 1, select("#", ...) do
		parts[index] = show(parts[index], DEPTH)
	end
	log.write(number, where(3), table.concat(parts, " "))
end

--- Writes what string.format makes of it.
local function formatted(name, number, format, ...)
	if number >= log.level then
		local ok, text = pcall(string.format, format, ...)
		if not ok then
			error(name .. ": " .. tostring(text):gsub(" to '[^']*'", ""), 3)
		end
		log.write(number, where(3), text)
	end
end

--- Logs values at the level DEBUG.
---@param ... any separated by spaces; tables with what is in them, 5 deep
function logger.debug(...)
	plain(log.DEBUG, ...)
end

--- Logs what `string.format` makes of its arguments, at the level DEBUG.
---
--- Raises where `string.format` does, if the level is written.
---@param format string as for `string.format`
---@param ... any what the format asks for
function logger.debugf(format, ...)
	formatted("logger.debugf", log.DEBUG, format, ...)
end

--- Logs values at the level INFO.
---@param ... any as for `logger.debug`
function logger.info(...)
	plain(log.INFO, ...)
end

--- Logs what `string.format` makes of its arguments, at the level INFO.
---
--- Raises where `string.format` does, if the level is written.
---@param format string as for `string.format`
---@param ... any what the format asks for
function logger.infof(format, ...)
	formatted("logger.infof", log.INFO, format, ...)
end

--- Logs values at the level WARN.
---@param ... any as for `logger.debug`
function logger.warn(...)
	plain(log.WARN, ...)
end

--- Logs what `string.format` makes of its arguments, at the level WARN.
---
--- Raises where `string.format` does, if the level is written.
---@param format string as for `string.format`
---@param ... any what the format asks for
function logger.warnf(format, ...)
	formatted("logger.warnf", log.WARN, format, ...)
end

--- Logs values at the level ERROR. It does not raise.
---@param ... any as for `logger.debug`
function logger.error(...)
	plain(log.ERROR, ...)
end

--- Logs what `string.format` makes of its arguments, at the level ERROR.
---
--- Raises where `string.format` does, if the level is written.
---@param format string as for `string.format`
---@param ... any what the format asks for
function logger.errorf(format, ...)
	formatted("logger.errorf", log.ERROR, format, ...)
end

--- The least level that is written.
---@return integer level
function logger.getlevel()
	return log.level
end

--- Sets the least level that is written, which is INFO at first. Lines below it are not even put together.
---@param level integer `logger.DEBUG`, `INFO`, `WARN` or `ERROR`
function logger.setlevel(level)
	check.one_of("logger.setlevel", "the level", level, LEVELS, "logger.DEBUG, INFO, WARN or ERROR")
	log.level = level
end

--- Says where the lines of the whole process go from now on.
---@param output string "stderr", which it is at first, "stdout", or a file's path: it is appended to
---@return true? ok the output is another one
---@return string? message why the file cannot be had; the output is then what it was
function logger.setoutput(output)
	check.type("logger.setoutput", "the output", output, "string")
	local ok, why = core.log_output(output)
	if not ok then
		return nil, "open " .. output .. ": " .. why
	end
	return true
end

--- Opens the output file again, after somebody has renamed it. Under the launcher SIGHUP does it, unless
--- the script handles that.
---@return true? ok
---@return string? message why it cannot be had; lines then go on into the old one
function logger.reopen()
	local ok, why = core.log_reopen()
	if not ok then
		return nil, "reopen the log: " .. why
	end
	return true
end

--- How many lines the process has dropped, because their output took no more.
---@return integer lines
function logger.dropped()
	return core.log_dropped()
end

return logger
