--- Clocks and timers, in milliseconds.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
require "silly.internal.start"

if core.loaded.time then
	return core.loaded.time
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
local callbacks, arguments = {}, {}

local slots = scheduler.track(sleeping, "silly.time", core.cancel_sleep)

loop.on_wait(core.events.AWAKE, sleeping)

loop.on(core.events.ALARM, function(slot, session)
	local callback, argument = callbacks[slot], arguments[slot]
	callbacks[slot], arguments[slot] = nil, nil
	if callback then -- there was memory for it
		scheduler.start(callback, argument or session)
	end
end)

--- The time of day, in milliseconds since 1970.
---@return integer
function time.now()
	return core.now()
end

--- Milliseconds since silly was loaded; never runs back.
---@return integer
function time.monotonic()
	return core.monotonic()
end

--- Suspends the current task. sleep(0) lets everything that is ready have its turn; less counts
--- as 0.
---@async
---@param ms integer
function time.sleep(ms)
	ms = check.integer("time.sleep", "the time in milliseconds", ms, -LONGEST, LONGEST)
	local current = scheduler.task("time.sleep")
	local slot = core.sleep(max(ms, 0))
	sleeping[slot], slots[current] = current, slot
	scheduler.suspend()
end

--- Calls a function after a while, as a task of its own.
---@param ms integer
---@param callback fun(argument: any)
---@param argument any? what the function gets; without one it gets the session
---@return integer session for time.cancel
function time.after(ms, callback, argument)
	ms = check.integer("time.after", "the time in milliseconds", ms, -LONGEST, LONGEST)
	check.type("time.after", "the callback", callback, "function")
	local slot, session = core.after(max(ms, 0))
	callbacks[slot], arguments[slot] = callback, argument
	return session
end

--- Takes a timer back. One that has fired, or never was, is no mistake.
---@param session integer
function time.cancel(session)
	if type(session) == "number" then
		local slot = core.cancel(session)
		if slot then
			callbacks[slot], arguments[slot] = nil, nil
		end
	end
end

return time
