--- What the specs share: a test's body runs as a task while the loop is stepped by hand, the way a
--- host does it.

local scheduler = require "silly.internal.scheduler"
local task = require "silly.task"
local testing = require "silly.testing"

local helper = {}

--- A test that takes longer hangs.
local LIMIT = 20

--- pcall for what waits, of 5.1: in a task of its own.
local function protect_in_51(fn, ...)
	local this, outcome = task.running(), nil
	local arguments, count = { ... }, select("#", ...)
	local child
	child = task.fork(function()
		outcome = { true, fn(unpack(arguments, 1, count)) } -- luacheck: ignore 143
		scheduler.catch(child, nil)
		task.wakeup(this)
	end)
	scheduler.catch(child, function(problem)
		outcome = { false, problem }
		task.wakeup(this)
	end)
	task.wait()
	return unpack(outcome) -- luacheck: ignore 143
end

--- pcall for a function that waits, in a task.
helper.protect = pcall

if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
	helper.protect = protect_in_51
end

--- Wraps a test's body as silly.testing does. What it opens stays open, for the specs to close it
--- themselves: what a close does is among what they test.
function helper.async(body, limit)
	return testing.task(body, { limit = (limit or LIMIT) * 1000, keep = true })
end

_G.async = helper.async

return helper
