--- What the specs share: running a test's body as a task while the loop is stepped by hand, the
--- way a host does it.

local silly = require "silly"
local task = require "silly.task"
local scheduler = require "silly.internal.scheduler"

local helper = {}

--- A test that takes longer hangs.
local LIMIT = 20

--- Calls a body and tells its failure, with its own line.
local function attempt(body, fail)
	local ok, problem = xpcall(body, function(problem)
		if type(problem) == "string" then
			return debug.traceback(problem, 2)
		end
		return problem -- luassert's own, which busted prints with its diff
	end)
	if not ok then
		fail(problem)
	end
end

--- Lua 5.1 cannot wait inside xpcall: there the scheduler's own report tells the failure.
local function attempt_in_51(body, fail)
	local report, thread = scheduler.report, task.running()
	scheduler.report = function(text, severity)
		if scheduler.current() == thread and task.status(thread) == "RUN" then
			scheduler.report = report
			fail(text)
		else
			report(text, severity)
		end
	end
	body()
	scheduler.report = report
end

--- pcall for what waits, of 5.1: in a task of its own.
local function protect_in_51(fn, ...)
	local this, ok, values = task.running(), false, nil
	local arguments, count = { ... }, select("#", ...)
	local report = scheduler.report
	local child
	scheduler.report = function(text, severity)
		if scheduler.current() ~= child then
			return report(text, severity)
		end
		values = { (text:match("failed: (.-)\nstack traceback:")) }
		task.wakeup(this)
	end
	child = task.fork(function()
		values = { fn(unpack(arguments, 1, count)) } -- luacheck: ignore 143
		ok = true
		task.wakeup(this)
	end)
	task.wait()
	scheduler.report = report
	return ok, unpack(values) -- luacheck: ignore 143
end

--- pcall for a function that waits, in a task.
helper.protect = pcall

if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
	attempt, helper.protect = attempt_in_51, protect_in_51
end

--- Wraps a test's body: it runs as a task, and the loop is stepped until it has ended. Its errors
--- fail the test with their own line; a body that hangs fails with where it waits.
function helper.async(body, limit)
	return function()
		local done, failure
		local thread = task.fork(function()
			attempt(body, function(problem)
				done, failure = true, { problem }
			end)
			done = true
		end)
		local deadline = os.time() + (limit or LIMIT)
		while not done do
			silly.step(20)
			if os.time() > deadline then
				error("the test hangs: " .. debug.traceback(thread, "", 1), 0)
			end
		end
		if failure then
			error(failure[1], 0)
		end
	end
end

_G.async = helper.async

return helper
