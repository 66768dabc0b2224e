--- Tasks and the queue of those that are ready: the part of silly that is natural in Lua.
--
-- A task is a coroutine that waits by a plain yield, which only this file and those built on it may
-- answer, and src/lua/resume.rs for messages. Coroutines are used again once their function has ended,
-- because making them is the dearest part of a task; that is done natively (src/lua/tasks.rs), since
-- Lua itself can give a finished coroutine no other function.

local core = require "silly.internal.core"
require "silly.internal.interpret" (true, true)

-- Test runners empty package.loaded between files: the tasks that wait are still the same.
core.loaded = core.loaded or {}
if core.loaded.scheduler then
	return core.loaded.scheduler --[[@as silly.scheduler]]
end

local VERSION = "0.1.0"
if core.version ~= VERSION then
	error(
		("silly: the Lua files are version %s but the native library (silly/core) is version %s; "
			.. "install both from the same build"):format(VERSION, core.version),
		0
	)
end

local co_yield, co_running, co_status = coroutine.yield, coroutine.running, coroutine.status
local co_yieldable = coroutine.isyieldable or core.may_wait -- 5.2 has neither
local co_close = coroutine.close -- absent before 5.4
local traceback = debug and debug.traceback
local IS_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

--- What native code looks at, too (src/lua/tasks.rs): how many tasks are ready, below zero once the
--- loop has ended; the current task, or false; what is to be called with tasks that have returned, or
--- false; the state of a task that runs; the tables of what tasks owe. The books themselves are what a
--- task yields to wait, and tell that from a script's own yields.
local READY, CURRENT, RETURNED, DEBTS = 1, 2, 3, 5
local books = { 0, false, false, "RUN", {} }
local SUSPEND = books

--- Yielded only to learn whether a yield is possible, and answered at once.
local PROBE = {}

--- See scheduler.insist. As many as it takes where every other request for memory is refused.
local TRIES = 100

--- A drain that has resumed so many tasks lets the sockets move before it goes on, or a task that
--- forks itself for ever would starve them.
local DRAIN_LIMIT = 10000

--- A queue that has held more than so many is made anew: Lua never gives back what a table has grown to.
local QUEUE_LIMIT = 4096

---@class silly.scheduler
---@field version string
---@field stopped boolean set by silly.exit: nothing starts any more
local scheduler = {
	version = VERSION,
	--- what Lua raises when it has no memory
	NO_MEMORY = "not enough memory",
	stopped = false,
	--- set while coroutines inherit the hook that starts the loop
	unhook = nil,
}
core.loaded.scheduler = scheduler

---@type table<thread, string>
local status = setmetatable({}, { __mode = "k" })
---@type table<thread, any> trace ids
local traces = setmetatable({}, { __mode = "k" })
scheduler.status = status
scheduler.traces = traces

--- Coroutines that have finished. Of full length from the start: a task that ends must not need memory
--- for that.
local pool = {}
for index = 1, core.pool_limit do
	pool[index] = false
end

--- Who takes the events of each kind; see silly.internal.loop.
local takers = {}

local next_event, native_resume, native_obtain, native_retire =
	core.bind(takers, status, books, pool, traces, io and io.stdout)

--- The ready queue, first come first served: threads, and what their yield returns or
--- their function gets. There are two, so
--- that what becomes ready during a drain waits for the next one. Which is which hangs on one variable,
--- since a host's Ctrl-C may come between any two instructions.
local function new_queue()
	return { threads = {}, values = {} }
end
local first_queue, second_queue = new_queue(), new_queue()
local queue = first_queue

--- The one that is drained, when one is.
local function other_queue()
	return queue == first_queue and second_queue or first_queue
end

--- How many the drain under way has begun with.
local generation = 0

--- Called when a task becomes ready, while somebody waits to hear of it.
local bell

--- Sets what is called when a task becomes ready; nil: nothing.
---@param fn fun()?
function scheduler.on_ready(fn)
	bell = fn
end

--- A function that may be a task's. 5.1 cannot go on with a C function that has yielded and has no Lua
--- function below it. Without the debug library it might be any.
local function startable(fn)
	if IS_51 and not (debug and debug.getinfo(fn, "S").what ~= "C") then
		return function(argument)
			return fn(argument)
		end
	end
	return fn
end

--- A coroutine that is to call a function.
local function obtain(fn)
	local thread, is_new = native_obtain(startable(fn))
	if is_new and scheduler.unhook then
		scheduler.unhook(thread)
	end
	return thread
end

--- Called with each task that ends otherwise than by returning, before its coroutine is closed. One
--- that knows what the task was for returns that.
---@type (fun(thread: thread, failed: boolean): string?)[]
local watchers = {}

--- Logs; replaced by silly.internal.log, which needs this file first.
scheduler.report = function(message)
	io.stderr:write(message, "\n")
end

--- Calls a function that keeps the books, and can fail for want of memory only: then it is called again,
--- and goes on from where it failed.
---@return any result nil when it fails again and again
function scheduler.insist(fn, ...)
	for _ = 1, TRIES do
		local ok, result = pcall(fn, ...)
		if ok then
			return result
		end
	end
end

--- Takes back what a task waits for and what it owes: it ends without returning.
---@return string? duty what the task was for
local function disown(thread, failed)
	local duty
	for index = 1, #watchers do
		duty = scheduler.insist(watchers[index], thread, failed) or duty
	end
	return duty
end

local function report_closing(problem)
	scheduler.report("[silly] closing the ended task: " .. tostring(problem))
end

--- Ends such a task, and closes what is left of it. Its coroutine is never used again. One that runs, since
--- a script has resumed it by itself and it has called the loop, ends by itself: Lua 5.5 would close it here
--- and now, and the loop, which it has called, with it.
---@param problem any? what it failed with
local function close(thread, problem)
	status[thread] = nil
	if co_close and co_running() ~= thread then
		local closed, again = co_close(thread)
		if not closed and again ~= problem then
			pcall(report_closing, again)
		end
	end
	traces[thread] = nil
end

local function report_failure(thread, duty, problem)
	local named, text = pcall(tostring, problem)
	text = named and text or "(an error object whose tostring fails)"
	local trail = traceback and traceback(thread, text) or text
	scheduler.report((duty or "[silly] task") .. " failed: " .. trail)
end

--- Who hears of a task's failure in place of the log.
---@type table<thread, fun(problem: any)>
local catchers = setmetatable({}, { __mode = "k" })

--- Has a function hear what a task fails with, in place of the log. The task's stack is still there.
---@param thread thread
---@param catcher fun(problem: any)? nil takes it back, which a task must do before it returns
function scheduler.catch(thread, catcher)
	catchers[thread] = catcher
end

local function fail(thread, problem)
	books[CURRENT] = thread -- the log line carries its trace id
	local duty, catcher = disown(thread, true), catchers[thread]
	if catcher then
		catchers[thread] = nil
		pcall(catcher, problem)
	else
		pcall(report_failure, thread, duty, problem)
	end
	close(thread, problem)
end

--- A task has returned, and somebody wants to know. Only then is its coroutine another task's.
local function retire(thread)
	books[RETURNED](thread)
	native_retire(thread)
end

--- What becomes of the current task, where native code does not know: whether it went well, and what it
--- has yielded or failed with, or what native code says of one that has ended.
function scheduler.look(thread, ok, yielded)
	while yielded == PROBE do
		ok, yielded = native_resume(thread)
	end
	if ok == false then
		fail(thread, yielded)
	elseif yielded and yielded == books[RETURNED] then
		retire(thread) -- what fails in there is the loop's, and `recover` does the rest
	elseif yielded == books[DEBTS] then
		disown(thread, false) -- it has closed itself
		close(thread)
	elseif ok and status[thread] == "RUN" then
		-- A yield of the script's own: task.wakeup may answer it.
		status[thread] = "WAIT"
	end
	books[CURRENT] = false
end

local look = scheduler.look

--- Goes on with a task until it waits or ends, or begins with it. It is the current one already and its
--- status is "RUN". Whoever calls this makes it so before anything else lets go of the task: even that
--- may want memory, and from then on `recover` knows whom a failure has left behind. Only for the loop,
--- between events.
function scheduler.resume(thread, ...)
	local ok, yielded = native_resume(thread, ...)
	if ok ~= nil then
		return look(thread, ok, yielded)
	end
end

local resume = scheduler.resume

--- Whether an error is that of failed memory, by whichever of its names. What cannot even be told for
--- want of memory is.
function scheduler.is_shortage(problem)
	-- Told or not: what tostring itself has failed with counts, too.
	local _, text = pcall(tostring, problem)
	return type(text) == "string"
		and (text:find(scheduler.NO_MEMORY, 1, true) or text:find("error in error handling", 1, true)) ~= nil
end

--- Memory has failed in the loop. The task that it was going on with, if any, may have been left in the
--- middle: it ends, unless it has returned already. Those that it had yet to come to are ready once more.
function scheduler.recover(problem)
	local thread = books[CURRENT]
	if thread and status[thread] then
		if books[RETURNED] and co_status(thread) == "dead" then
			scheduler.insist(retire, thread)
		elseif scheduler.is_shortage(problem) then
			fail(thread, problem)
		end
	end
	books[CURRENT] = false
	local rest = other_queue()
	for index = 1, generation do
		local waiting = rest.threads[index]
		if waiting then
			local place = books[READY] + 1
			queue.threads[place], queue.values[place] = waiting, rest.values[index]
			if status[waiting] then
				status[waiting] = "READY"
			end
			books[READY] = place
			rest.threads[index], rest.values[index] = nil, nil
		end
	end
end

--- Starts a task at once, without the ready queue. Only for the loop, between events.
function scheduler.start(fn, argument)
	if not scheduler.stopped then
		local thread = obtain(fn)
		books[CURRENT] = thread
		status[thread] = "RUN"
		return resume(thread, argument)
	end
end

--- Appends a task to the ready queue: all of it, or nothing where there is no memory for that.
local function enqueue(thread, value)
	if not scheduler.stopped then
		local place = books[READY] + 1
		queue.threads[place], queue.values[place] = thread, value
		status[thread] = "READY"
		books[READY] = place
		if bell then
			bell()
		end
	end
end

--- Appends a task that has not begun to the ready queue.
---@return thread
function scheduler.fork(fn, argument)
	local thread = obtain(fn)
	enqueue(thread, argument)
	return thread
end

--- Appends a waiting task to the ready queue.
function scheduler.ready(thread, value)
	enqueue(thread, value)
end

--- All tasks, as a list: a finaliser that forks would disturb a walk over the table itself.
---@return thread[]
function scheduler.list()
	local list
	repeat
		local found = {}
		local ok = pcall(function()
			for thread in next, status do
				found[#found + 1] = thread
			end
		end)
		list = ok and found
	until list
	return list
end

--- How many tasks are ready. One that was cancelled counts until its turn would have come.
function scheduler.count()
	return math.max(books[READY], 0)
end

--- The running task, or false.
function scheduler.current()
	return books[CURRENT]
end

--- For others to look at: a function in between would be felt in every message. A task that waits yields
-- SUSPEND.
scheduler.CURRENT, scheduler.SUSPEND = CURRENT, SUSPEND
scheduler.books, scheduler.takers, scheduler.next_event = books, takers, next_event

--- Drops every ready task.
function scheduler.stop()
	scheduler.stopped = true
	queue, books[READY] = new_queue(), -1
	generation = 0
end

--- Runs everything that is ready, and what that makes ready in turn.
function scheduler.drain()
	local done = 0
	while books[READY] > 0 and done < DRAIN_LIMIT do
		local threads, values, now = queue.threads, queue.values, books[READY]
		generation = now
		queue = other_queue()
		books[READY] = 0
		for index = 1, now do
			-- There is none where an interrupted drain has left the number of another queue.
			local thread, value = threads[index], values[index]
			-- One that has been cancelled meanwhile has no status any more.
			local runs = status[thread] == "READY" and not scheduler.stopped
			if runs then
				books[CURRENT] = thread
				status[thread] = "RUN"
			end
			threads[index] = nil -- first: what else there is of it is nobody's without it
			values[index] = nil
			if runs then
				resume(thread, value)
			end
		end
		done = done + now
		if now > QUEUE_LIMIT then
			local rest = other_queue()
			rest.threads, rest.values = {}, {}
		end
	end
end

--- The running task, for a function that is about to wait; raises where it could not.
---@param name string the public function
---@return thread
function scheduler.task(name)
	local current = books[CURRENT]
	if not current then
		error(name .. " must run in a task: wrap it in task.fork(function() ... end)", 3)
	elseif co_running() ~= current then
		error(name .. " cannot wait inside a coroutine of the script's own; call it from the task itself", 3)
	elseif not co_yieldable then
		co_yield(PROBE) -- raises here, before anything is registered that would wake the task
	elseif not co_yieldable() then
		if not status[current] then
			error(name .. " cannot wait here: the task has ended, and its variables are being closed", 3)
		end
		local several = IS_51 and "pcall, " or ""
		error(
			("%s cannot wait here: a C function (%stable.sort, string.gsub, require ...) is in between")
				:format(name, several) .. (IS_51 and ", inside which no task can wait on Lua 5.1" or ""),
			3
		)
	end
	return current
end

--- Ends a task that does not run: whatever it waits for, or whether it is only ready.
---@param name string the public function
---@param thread thread
---@return boolean ended false when there is no such task any more
function scheduler.cancel(name, thread)
	local current, state = books[CURRENT], co_status(thread)
	if not status[thread] then
		return false
	elseif thread == current or state == "running" then
		error(name .. ": the running task cannot be cancelled; let it return or raise an error", 3)
	elseif state == "normal" then
		error(name .. ": the task cannot be cancelled now, it is resuming another coroutine", 3)
	end
	books[CURRENT] = thread -- what its variables log and do as they are closed is the task's
	status[thread] = nil -- nobody hands it anything any more
	disown(thread, false)
	close(thread)
	books[CURRENT] = current
	return true
end

--- Waits until the loop goes on with the running task.
---@async
function scheduler.suspend()
	return co_yield(SUSPEND)
end

--- Asks to be told of tasks that end otherwise than by returning: they have failed, or else been
--- cancelled. Called before the coroutine is closed.
---@param watcher fun(thread: thread, failed: boolean): string? what the task was for, if it knows
function scheduler.watch(watcher)
	watchers[#watchers + 1] = watcher
end

--- Names a table in which tasks have a field for as long as they owe something.
---@param debts table<thread, any>
function scheduler.owes(debts)
	local all = books[DEBTS]
	all[#all + 1] = debts
end

--- Asks to be told of tasks that return: their coroutines are other tasks' from then on.
---@param watcher fun(thread: thread) called again where it fails, and goes on from there
function scheduler.watch_returns(watcher)
	local before = books[RETURNED]
	books[RETURNED] = before and function(thread)
		before(thread)
		watcher(thread)
	end or watcher
end

---@type (fun(thread: thread): string?)[]
local explainers = {}

--- Adds somebody who knows what some tasks wait for.
---@param explainer fun(thread: thread): string? the name of the module that goes on with a task
function scheduler.explain(explainer)
	explainers[#explainers + 1] = explainer
end

--- The module that a task waits for, "silly.task" for a wakeup; nil when it does not wait.
---@return string?
function scheduler.waits(thread)
	if status[thread] == "READY" or thread == books[CURRENT] then
		return nil
	end
	for index = 1, #explainers do
		local name = explainers[index](thread)
		if name then
			return name
		end
	end
	return status[thread] == "WAIT" and "silly.task" or nil
end

--- What the modules share whose tasks wait on native slots: the table returned is to hold the slot
--- of each task's last wait. It is never cleared, which would cost every wait: `waiting` says whether
--- the slot is still the task's.
---@param waiting table<integer, thread> who waits on each slot
---@param name string the module, for task.inspect
---@param take_back fun(slot: integer) ends the wait of a task that has ended
---@return table<thread, integer> slots
function scheduler.track(waiting, name, take_back)
	local slots = setmetatable({}, { __mode = "k" })
	scheduler.watch(function(thread)
		local slot = slots[thread]
		if slot and waiting[slot] == thread then
			take_back(slot) -- first: it may fail for want of memory, and is called again then
			waiting[slot] = nil
		end
	end)
	scheduler.explain(function(thread)
		local slot = slots[thread]
		return slot and waiting[slot] == thread and name or nil
	end)
	return slots
end

return scheduler
