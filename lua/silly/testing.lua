--- Tests of code that waits: a test's body runs as a task, and the loop turns until it has ended.
--
-- For busted and other runners, and for a script without one. A test fails with the error of its
-- task and where that was; what it has opened is closed behind it.

local silly = require "silly"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local open = require "silly.internal.open"
local check = require "silly.internal.check"
local time = require "silly.time"

---@class silly.testing
local testing = {}

---@class silly.testing.options
--- Milliseconds that the test may take, 1 to 3,600,000; 10,000 by default. Too short fails tests on a
--- busy machine; too long makes one that hangs hold up the others.
---@field limit? integer
--- True leaves open what the body has opened, for what prepares a test. false by default: the peers,
--- listeners, connections, timers and tasks that came up meanwhile are closed and cancelled.
---@field keep? boolean

local DEFAULT_LIMIT = 10000
--- An hour; a test that takes longer is none.
local LONGEST_LIMIT = 3600 * 1000
--- How long one turn waits at most, in milliseconds: the limit is looked at so often.
local TURN = 20

local traceback = debug and debug.traceback

--- Checks the arguments of a public function: the limit and what stays open.
local function settings(name, fn, opts)
	check.type(name, "the test", fn, "function")
	local limit, keep = DEFAULT_LIMIT, false
	if opts ~= nil then
		check.options(name, "the options", opts, { "limit", "keep" })
		if opts.limit ~= nil then
			limit = check.integer(name, "option 'limit'", opts.limit, 1, LONGEST_LIMIT)
		end
		if opts.keep ~= nil then
			check.type(name, "option 'keep'", opts.keep, "boolean")
			keep = opts.keep
		end
	end
	return limit, keep
end

--- Where a task stands, or where it has failed.
local function place(thread, text)
	return traceback and traceback(thread, text) or text
end

--- Turns the loop until the body has ended.
---@return boolean failed
---@return any problem what the body raised: a string with its traceback, or an object as it is
local function drive(body, limit)
	local ended, failed, problem = false, false, nil
	local thread
	thread = scheduler.fork(function()
		body()
		scheduler.catch(thread, nil)
		ended = true
	end)
	scheduler.catch(thread, function(raised)
		ended, failed = true, true
		-- A runner's own failures are objects, which it shows in its own way.
		problem = type(raised) == "string" and place(thread, raised) or raised
	end)
	local deadline = time.monotonic() + limit
	while not ended do
		silly.step(TURN)
		local text
		if not scheduler.status[thread] then
			text = "the test's task was cancelled"
		elseif scheduler.stopped then
			text = "the test called silly.exit, which ends every task"
		elseif time.monotonic() >= deadline then
			text = ("the test has not ended within %d ms"):format(limit)
		end
		if text and not ended then
			scheduler.catch(thread, nil)
			ended, failed, problem = true, true, place(thread, text)
		end
	end
	return failed, problem
end

--- Closes what is open and is not in a set.
local function clean(kept)
	-- Twice: a connection may have come in that nobody had been told of.
	for _ = 1, 2 do
		open.close_all_but(kept)
		silly.step(0) -- what was queued leaves
	end
end

local function run(name, body, limit, keep)
	if loop.state ~= "idle" then
		error(name .. ": the loop is already running; start the tests with the interpreter or a test runner", 3)
	end
	local before = not keep and open.now()
	local failed, problem = drive(body, limit)
	if before then
		clean(before)
	end
	if failed then
		error(problem, 0)
	end
end

--- Runs a test now: its body as a task, the loop until that has ended. Raises what the body raised,
--- strings with the task's traceback; also when it has not ended in time, with the place where it
--- waits.
---@param fn fun() the test; it may wait
---@param opts? silly.testing.options none by default
function testing.run(fn, opts)
	local limit, keep = settings("testing.run", fn, opts)
	run("testing.run", fn, limit, keep)
end

--- Makes a function that runs a test, for a runner to call: `it("...", testing.task(function() ...
--- end))`.
---@param fn fun() the test; it may wait
---@param opts? silly.testing.options none by default
---@return fun() test raises what the body raises, as testing.run does
function testing.task(fn, opts)
	local limit, keep = settings("testing.task", fn, opts)
	local function test()
		run("testing.task", fn, limit, keep)
	end
	return test
end

--- Closes and cancels whatever is open in this Lua state, for what has been kept: peers, listeners,
--- connections, timers, tasks. No callback is called for it.
function testing.close()
	if loop.state ~= "idle" then
		error("testing.close: not in a task; call it when the test has ended", 2)
	end
	clean({})
end

return testing
