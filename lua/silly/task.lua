--- Tasks: coroutines that the loop runs, and what they may do to each other.
--
-- Forked and woken tasks share one queue, first come first served; everything that is ready has
-- its turn before the next timer or message.

local scheduler = require "silly.internal.scheduler"
local check = require "silly.internal.check"
local trace = require "silly.trace"
require "silly.internal.start"

---@class silly.task
local task = {
	tracenode = trace.setnode,
	tracespawn = trace.spawn,
	traceset = trace.attach,
	tracepropagate = trace.propagate,
}

local status = scheduler.status

--- Makes a task of a function. It never runs at once but when its turn has come.
---@param fn fun(argument: any) what the task runs
---@param argument any? what the function gets; nil by default
---@return thread thread the task, for `task.wakeup`, `task.cancel` and `task.status`
function task.fork(fn, argument)
	check.type("task.fork", "the first argument", fn, "function")
	return scheduler.fork(fn, argument)
end

--- Parks the current task until somebody wakes it.
---@async
---@return any value what `task.wakeup` was given
function task.wait()
	local current = scheduler.task("task.wait")
	if status[current] ~= "RUN" then
		error("task.wait: BUG: wait on task stat:" .. tostring(status[current]), 2)
	end
	status[current] = "WAIT"
	return (scheduler.suspend())
end

--- Makes a parked task ready. It does not run at once.
---
--- Raises unless the task is parked by `task.wait`, or by a yield of the script's own.
---@param thread thread a task
---@param value any? what its `task.wait` returns; nil by default
function task.wakeup(thread, value)
	local state = thread and status[thread]
	if state ~= "WAIT" then
		error("task.wakeup: BUG: wakeup on task stat:" .. tostring(state), 2)
	end
	scheduler.ready(thread, value)
end

--- Ends a task that waits, sleeps or is ready: what it waits for is taken back at once, and an
--- answer that still comes is ignored. From Lua 5.4 on its to-be-closed variables are closed, in
--- here; before that its coroutine is dropped, and what it holds is left to the collector.
--- A cancelled handler of a request leaves it without an answer, a cancelled accept callback costs
--- the connection, and a cancelled member of a wait group counts as ended.
---
--- Whoever keeps a thread must forget it when its task ends: a later task may have it by then, and
--- would be the one that is cancelled.
---
--- Raises for the running task, and for one that is resuming another coroutine.
---@param thread thread a task
---@return boolean ended false if it had ended already, or is no task
function task.cancel(thread)
	check.type("task.cancel", "the first argument", thread, "thread")
	local ended = scheduler.cancel("task.cancel", thread)
	return ended
end

--- The running task; inside a coroutine of the script's own still the task around it, and in a
--- main chunk that is no task the main thread.
---@return thread? thread
function task.running()
	return scheduler.current() or (coroutine.running())
end

--- What a task is doing: "READY", "RUN" (also while it sleeps or waits for the network), "WAIT"
--- for a wakeup, or nil once it has ended.
---@param thread thread a task
---@return string? status
function task.status(thread)
	return status[thread]
end

--- How many tasks are ready.
---@return integer count
function task.readycount()
	return scheduler.count()
end

--- All tasks, each with its status, its traceback, and the module that it waits for: "silly.time"
--- while it sleeps, "silly.task" until a wakeup, and so on; nil when it is ready or runs.
---@return table<thread, {status: string, traceback: string, waits: string?}> tasks
function task.inspect()
	local all = {}
	for _, thread in ipairs(scheduler.list()) do
		local state = status[thread]
		if state then
			all[thread] = {
				status = state,
				traceback = debug and debug.traceback(thread) or tostring(thread),
				waits = scheduler.waits(thread),
			}
		end
	end
	return all
end

-- The names that older scripts use.
task.taskstat, task.tasks = task.readycount, task.inspect

return task
