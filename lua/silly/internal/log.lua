--- What the library's own lines and those of silly.logger have in common: levels, and how a line
--- begins.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local trace = require "silly.trace"

if core.loaded.log then
	return core.loaded.log --[[@as silly.log]]
end

---@class silly.log
local log = {
	DEBUG = 0,
	INFO = 1,
	WARN = 2,
	ERROR = 3,
}
core.loaded.log = log

local LETTERS = { [0] = "D", "I", "W", "E" }

--- The least level that is written.
---@type integer
log.level = log.INFO

--- Writes a line, whatever its level.
---@param number integer its level
---@param place string where in the script it stands, with a space; or ""
---@param text string
function log.write(number, place, text)
	core.log(core.trace_text(trace.current()) .. " " .. LETTERS[number] .. " " .. place .. text .. "\n")
end

--- A line of the library's own, if its level is written.
---@param number integer
---@param text string
function log.record(number, text)
	if number >= log.level then
		log.write(number, "", text)
	end
end

--- How a line ends that says that a codec has returned nothing.
---@param problem any what it gave as the reason, if anything
---@return string
function log.because(problem)
	return problem and "because: " .. tostring(problem) or "and no reason"
end

loop.on(core.events.LOG, function(level, text)
	log.record(level, text)
end)

scheduler.report = function(text, severity)
	log.record(severity == "warn" and log.WARN or log.ERROR, text)
end

return log
