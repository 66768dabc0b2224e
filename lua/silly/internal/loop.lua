--- The loop: run what is ready, wait in the reactor, hand its events to whoever asked for them.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local beacon = require "silly.internal.beacon"

if core.loaded.loop then
	return core.loaded.loop --[[@as silly.loop]]
end

--- What silly.exit may take to write what is queued, in milliseconds.
local FLUSH_LIMIT = 2000

--- So often in a row a turn of our own loop may fail for want of memory, which somebody else may give
--- back; and so often what puts right one failure.
local PATIENCE, TRIES = 1000, 100

--- How long the end waits for whoever reads the log, in milliseconds.
local LAST_LINES = 200

---@class silly.loop
local loop = {
	--- "idle", "own" while run() is at work, "host" while step() is
	state = "idle",
	--- set once the loop has run at all
	ran = false,
	--- what silly.exit was called with
	exit_status = nil,
	--- true where the process is an interpreter's own, and so ours to end
	owns_process = false,
}
core.loaded.loop = loop

local next_event, native_turn, native_alive = scheduler.next_event, core.turn, core.alive
local drain, books, waits = scheduler.drain, scheduler.books, scheduler.takers
local CURRENT = scheduler.CURRENT
local insist, resume, states = scheduler.insist, scheduler.resume, scheduler.status
-- Some hosts have no such libraries, and scripts may take them away.
local stdout, exit = io and io.stdout, os and os.exit

local function flush()
	if stdout then
		pcall(stdout.flush, stdout) -- a script may have closed it
	end
end

---@type table<integer, function>, table<integer, function>
local handlers, fallbacks = {}, {}

-- What the native side asks for between events.
handlers[core.events.READY] = function() end
handlers[core.events.LOOK] = scheduler.look

--- Says who takes the events of one kind.
---@param kind integer one of core.events
---@param handler function
---@param fallback fun(first: integer, second: any)? called when memory has failed in the handler, with
---  its first two arguments. It does what must be done, unless the handler has got so far, and needs
---  next to no memory.
function loop.on(kind, handler, fallback)
	handlers[kind], fallbacks[kind] = handler, fallback
end

--- The event in hand: its kind, until it is somebody's, and its first arguments.
local hand, first, second

--- True while the event in hand is of this kind.
function loop.holds(kind)
	return hand == kind
end

--- The event in hand is somebody's now.
function loop.settle()
	hand = nil
end

--- Hands the event in hand to the task that waits for it on a native slot, unless that has been cancelled
--- meanwhile, and goes on with it at once.
---@param waiting table<integer, thread>
---@param slot integer
function loop.wake(waiting, slot, value, problem)
	local thread = waiting[slot]
	if states[thread] and not scheduler.stopped then
		books[CURRENT] = thread
		waiting[slot], hand = nil, nil
		return resume(thread, value, problem) -- in this function's place: it needs no memory for another one
	end
	waiting[slot] = nil
end

--- Says that the events of one kind go to tasks that wait for them, each on a native slot: with what the
--- event carries besides.
---@param kind integer one of core.events
---@param waiting table<integer, thread> who waits on each slot
function loop.on_wait(kind, waiting)
	waits[kind] = waiting
end

--- Says what handles requests, each in a task of its own that begins at once.
---@param kind integer
---@param service table what src/lua/resume.rs says
function loop.on_request(kind, service)
	waits[kind] = service
end

--- The event in hand will be nobody's.
function loop.forsake()
	local fallback = fallbacks[hand]
	if fallback then
		fallback(first, second)
	end
	hand = nil
end

local function report_loss(problem)
	scheduler.report("[silly] an event was lost: " .. tostring(problem))
end

--- What the loop has failed with, until that is put right; and how often it has failed since then.
local trouble, failures = nil, 0

--- The loop has failed.
local function note(problem)
	failures = failures + 1
	if trouble == nil then
		trouble = problem or "nil"
	end
end

--- Puts right what a failure has left behind. What raises in the loop is no task but a lack of memory,
--- and costs one event, not the loop. It may fail as well: whoever calls it has noted that there is
--- trouble, which is still there then, and calls it again.
---@return boolean shortage false when it was somebody else's, such as a Ctrl-C in a host
local function recover()
	local problem = trouble
	local shortage = scheduler.is_shortage(problem)
	scheduler.recover(problem)
	loop.forsake()
	trouble, failures = nil, 0
	if shortage then
		pcall(report_loss, problem)
	end
	return shortage
end

--- Hands out one event. In a function of its own, so that nothing of it is alive any more when tasks run
--- that look for garbage.
---@return boolean done false when there is none left
local function hand_out()
	-- In this function's own variables, so that nothing can fail before the event is in hand.
	local kind, a, b, c, d, e, f = next_event(loop.state == "own")
	if not kind then
		return false
	end
	hand, first, second = kind, a, b
	handlers[kind](a, b, c, d, e, f)
	hand, first, second = nil, nil, nil
	return true
end

--- Hands out the events of a turn.
---@return boolean foreign true when it was stopped by what is not a lack of memory
---@return any problem
local function deliver()
	local problem = trouble
	if problem ~= nil and not recover() then
		return true, problem
	end
	while not scheduler.stopped and hand_out() do
		if books[1] > 0 then
			drain()
		end
	end
	return false
end

--- One turn; waits at most so many milliseconds, or as long as it takes with nil.
local function turn(wait)
	loop.ran = true
	if books[1] > 0 then
		drain()
	end
	if scheduler.stopped then
		return
	end
	local why = native_turn(books[1] > 0 and 0 or wait)
	if why then
		error("silly: " .. why, 0)
	end
	repeat
		local fine, foreign, problem = pcall(deliver)
		if not fine then
			note(foreign)
			if failures > TRIES then
				error(trouble, 0)
			end
		elseif foreign then
			error(problem, 0)
		end
	until fine
end

--- True while something can still happen.
function loop.pending()
	return not scheduler.stopped and (books[1] > 0 or native_alive())
end

--- Tasks that wait for a wakeup that cannot come: says where, once each.
local function report_stuck()
	for _, thread in ipairs(scheduler.list()) do
		if states[thread] == "WAIT" then
			local where = debug and debug.traceback(thread, "", 1) or tostring(thread)
			scheduler.report("[silly] the loop ends, but a task still waits:" .. where, "warn")
		end
	end
end

local function enter(state, name)
	if loop.state ~= "idle" then
		error(name .. ": the loop is already running; under the launcher it runs by itself", 4)
	end
	beacon.leave_rest()
	loop.state = state -- last, since a host's Ctrl-C may come at any point
end

local function leave()
	loop.state = "idle"
	beacon.rest()
end

--- Turns in a row that memory has failed in.
local hardship = 0

--- Turns until nothing can ever happen again.
---@return boolean foreign as of deliver
---@return any problem
local function work()
	local problem = trouble
	if problem ~= nil and not recover() then
		return true, problem
	end
	drain()
	while not scheduler.stopped and (books[1] > 0 or native_alive()) do
		flush() -- what was printed must not wait as long as we do
		turn(nil)
		hardship = 0
		if books[1] > 0 then
			drain()
		end
	end
	return false
end

--- Runs until nothing can ever happen again, or until silly.exit.
---@param name string the public function
---@param main fun()? the first task
---@return integer status of silly.exit, or 0
function loop.run(name, main)
	enter("own", name)
	if main then
		scheduler.fork(main)
	end
	core.interruptible(true)
	local ok, foreign, problem
	repeat
		ok, foreign, problem = pcall(work)
		if not ok then
			hardship = hardship + 1
			note(foreign)
			problem = trouble
		end
	until ok or hardship > PATIENCE
	core.interruptible(false)
	leave()
	if not ok or foreign then
		error(problem, 0)
	end
	if not scheduler.stopped then
		report_stuck()
	end
	core.log_drain(LAST_LINES)
	return loop.exit_status or 0
end

--- One turn for a host that owns the loop.
---@param wait integer milliseconds
---@return boolean pending whether anything can still happen
function loop.step(wait)
	enter("host", "silly.step")
	local ok, problem = pcall(turn, wait)
	leave()
	if not ok then
		note(problem)
		insist(recover)
		error(problem, 0)
	end
	return loop.pending()
end

--- Milliseconds until a step would do something, sockets aside; nil when nothing is scheduled.
---@return integer?
function loop.timeout()
	if scheduler.stopped then
		return nil
	end
	return books[1] > 0 and 0 or core.timeout()
end

--- A descriptor that is readable whenever a step would do something.
---@return integer? fd
---@return string? err
function loop.fd()
	return beacon.fd(loop.state == "idle")
end

--- Ends everything: the process where it is ours, else the loop.
---@param status integer
---@param limit integer? milliseconds for what is queued
function loop.exit(status, limit)
	status = status % 256
	loop.exit_status = status
	scheduler.stop()
	core.shutdown(limit or FLUSH_LIMIT)
	core.log_drain(LAST_LINES)
	if loop.owns_process and loop.state ~= "host" then
		flush()
		-- At once, from wherever we are: nothing of the script runs any more.
		exit(status)
	end
	while books[CURRENT] do
		scheduler.suspend()
	end
end

return loop
