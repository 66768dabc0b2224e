-- silly as a guest in a loop of cqueues: stepping when its descriptor says so, and functions that wait
-- in silly, called from a coroutine of cqueues.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local silly = require "silly"
local task = require "silly.task"

local guest = {}

-- Steps whenever there is something to do, for as long as the loop runs.
function guest.move_in(loop)
	local fd = assert(silly.fd())
	-- What has these three methods can be polled.
	local ready = {
		pollfd = function()
			return fd
		end,
		events = function()
			return "r"
		end,
		timeout = function() end, -- none: the descriptor knows of timers, too
	}
	loop:wrap(function()
		while true do
			cqueues.poll(ready)
			silly.step(0)
		end
	end)
end

-- Runs a function as a task and gives its two results, once they are there. An error in it is logged,
-- and then there is nothing to wait for: after so many seconds it is nil and "timeout".
function guest.call(seconds, fn, ...)
	local arguments, count = { ... }, select("#", ...)
	local unpack = table.unpack or rawget(_G, "unpack")
	local over, done = false, condition.new()
	local result, why
	task.fork(function()
		result, why = fn(unpack(arguments, 1, count))
		over = true
		done:signal()
	end)
	local deadline = cqueues.monotime() + seconds
	while not over do
		local left = deadline - cqueues.monotime()
		if left <= 0 then
			return nil, "timeout"
		end
		done:wait(left)
	end
	return result, why
end

return guest
