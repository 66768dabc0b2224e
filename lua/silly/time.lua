--- Clocks and timers, in milliseconds.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
local open = require "silly.internal.open"
require "silly.internal.start"

if core.loaded.time then
	return core.loaded.time --[[@as silly.time]]
end

local max = math.max

---@class silly.time
local time = {}
core.loaded.time = time

--- A hundred years: what is later than that is never.
local LONGEST = 100 * 365 * 24 * 3600 * 1000

-- By the native timer's slot, which is used again, so that these stay arrays.
---@type table<integer, thread>
local sleeping = {}
local callbacks, arguments, sessions = {}, {}, {}

local slots = scheduler.track(sleeping, "silly.time", core.cancel_sleep)

loop.on_wait(core.events.AWAKE, sleeping)

loop.on(core.events.ALARM, function(slot, session)
	local callback, argument = callbacks[slot], arguments[slot]
	callbacks[slot], arguments[slot], sessions[slot] = nil, nil, nil
	if callback then -- there was memory for it
		scheduler.start(callback, argument or session)
	end
end)

--- The time of day, in milliseconds since 1970. It may be set back.
---@return integer milliseconds
function time.now()
	return core.now()
end

--- Milliseconds since silly was loaded; never runs back.
---@return integer milliseconds
function time.monotonic()
	return core.monotonic()
end

--- Suspends the current task. sleep(0) lets everything that is ready have its turn; less counts
--- as 0.
---@async
---@param ms integer milliseconds; never less than asked for
function time.sleep(ms)
	ms = check.integer("time.sleep", "the time in milliseconds", ms, -LONGEST, LONGEST)
	local current = scheduler.task("time.sleep")
	local slot = core.sleep(max(ms, 0))
	sleeping[slot], slots[current] = current, slot
	scheduler.suspend()
end

--- Calls a function after a while, as a task of its own.
---@param ms integer milliseconds; less than 0 counts as 0
---@param callback fun(argument: any) what to call
---@param argument any? what the function gets; the session by default
---@return integer session for `time.cancel`
function time.after(ms, callback, argument)
	ms = check.integer("time.after", "the time in milliseconds", ms, -LONGEST, LONGEST)
	check.type("time.after", "the callback", callback, "function")
	local slot, session = core.after(max(ms, 0))
	callbacks[slot], arguments[slot], sessions[slot] = callback, argument, session
	return session
end

--- Takes a timer back. One that has fired, or never was, is no mistake.
---@param session integer from `time.after`
function time.cancel(session)
	if type(session) == "number" then
		local slot = core.cancel(session)
		if slot then
			callbacks[slot], arguments[slot], sessions[slot] = nil, nil, nil
		end
	end
end

open.kind {
	name = "timer",
	list = function()
		local list = {}
		for _, session in pairs(sessions) do
			list[#list + 1] = session
		end
		return list
	end,
	close = time.cancel,
	tell = function()
		local lines = {}
		for _, callback in pairs(callbacks) do
			local info = debug and debug.getinfo(callback, "S")
			lines[#lines + 1] = "calls " .. (info and info.short_src .. ":" .. info.linedefined or tostring(callback))
		end
		return lines
	end,
}

return time
