--- The descriptor of silly.fd, as far as Lua has a say: tasks that become ready while the loop
--- rests are the one thing that the native side cannot see.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"

if core.loaded.beacon then
	return core.loaded.beacon --[[@as silly.beacon]]
end

---@class silly.beacon
local beacon = {}
core.loaded.beacon = beacon

--- Set once somebody has asked for the descriptor.
local lit = false

--- The first task that becomes ready rings; the others need not.
local function ring()
	scheduler.on_ready(nil)
	core.ring()
end

--- The loop begins to work: what becomes ready now is its own business.
function beacon.leave_rest()
	scheduler.on_ready(nil)
end

--- The loop rests: writes what is queued, and makes the descriptor tell when it is wanted again.
function beacon.rest()
	local ready = scheduler.count() > 0
	core.settle(ready)
	if lit and not ready then
		scheduler.on_ready(ring)
	end
end

--- The descriptor, which is made when it is first asked for.
---@param resting boolean whether the loop is not at work
---@return integer? fd
---@return string? err
function beacon.fd(resting)
	local fd, why = core.fd()
	if not fd then
		return nil, why
	end
	if not lit then
		lit = true
		if resting then
			beacon.rest()
		end
	end
	return fd
end

return beacon
