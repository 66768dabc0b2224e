--- The log: one line per message, on standard error or wherever logger.setoutput says.
--
--   2026-01-31 12:00:00 00000000beef0001 I server.lua:12 listening on 127.0.0.1:8888
--
-- date, time, the current task's trace id, the level's letter, where, what.
--
-- Logging never waits for whoever reads: lines that cannot be written are kept up to 1 MiB and
-- dropped beyond, which the log itself says once there is room again. All Lua states of a process
-- share one output.

local core = require "silly.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local trace = require "silly.trace"
local check = require "silly.internal.check"

if core.loaded.logger then
	return core.loaded.logger
end

---@class silly.logger
local logger = {
	DEBUG = 0,
	INFO = 1,
	WARN = 2,
	ERROR = 3,
}
core.loaded.logger = logger

local LETTERS = { [0] = "D", "I", "W", "E" }
--- Tables are shown to this depth.
local DEPTH = 5

local level = logger.INFO

local show

local function show_table(value, depth)
	if depth == 0 then
		return ""
	end
	local parts = {}
	for key, item in pairs(value) do
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
	return tostring(value)
end

--- Where in the script the logging call stands.
local function where(depth)
	local info = debug and debug.getinfo(depth + 1, "Sl")
	if info and info.currentline and info.currentline > 0 then
		return info.short_src .. ":" .. info.currentline .. " "
	end
	return ""
end

local function write(number, place, text)
	core.log(core.trace_text(trace.current()) .. " " .. LETTERS[number] .. " " .. place .. text .. "\n")
end

local function plain(number)
	return function(...)
		if number < level then
			return
		end
		local parts = { ... }
		for index = 1, select("#", ...) do
			parts[index] = show(parts[index], DEPTH)
		end
		write(number, where(2), table.concat(parts, " "))
	end
end

local function formatted(number)
	return function(format, ...)
		if number >= level then
			write(number, where(2), string.format(format, ...))
		end
	end
end

logger.debug = plain(logger.DEBUG)
logger.info = plain(logger.INFO)
logger.warn = plain(logger.WARN)
logger.error = plain(logger.ERROR)
logger.debugf = formatted(logger.DEBUG)
logger.infof = formatted(logger.INFO)
logger.warnf = formatted(logger.WARN)
logger.errorf = formatted(logger.ERROR)

--- The least level that is written.
---@return integer
function logger.getlevel()
	return level
end

--- Sets the least level that is written; INFO at first.
---@param number integer one of logger.DEBUG, INFO, WARN, ERROR
function logger.setlevel(number)
	level = check.integer("logger.setlevel", "the level", number, logger.DEBUG, logger.ERROR)
end

--- Says where the lines of the whole process go from now on.
---@param output string "stderr", which it is at first, "stdout", or a file's path: it is appended to
---@return true? ok
---@return string? message why the file cannot be had; the output is then what it was
function logger.setoutput(output)
	check.type("logger.setoutput", "the output", output, "string")
	local ok, why = core.log_output(output)
	if not ok then
		return nil, ("open %s: %s"):format(output, why)
	end
	return true
end

--- Opens the output file again, after somebody has renamed it. Under the launcher SIGHUP does it.
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
---@return integer
function logger.dropped()
	return core.log_dropped()
end

--- A line that no script's line stands behind.
---@param number integer
---@param text string
function logger.record(number, text)
	if number >= level then
		write(number, "", text)
	end
end

loop.on(core.events.LOG, function(text)
	logger.record(logger.ERROR, text)
end)

scheduler.report = function(text, severity)
	logger.record(severity == "warn" and logger.WARN or logger.ERROR, text)
end

return logger
