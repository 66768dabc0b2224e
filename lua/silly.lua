--- The loop, and the names that scripts of the 2025-10 edition find here.

local core = require "silly.internal.core"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
local log = require "silly.internal.log"
local task = require "silly.task"
local start = require "silly.internal.start"

---@class silly
local silly = {
	---@type integer this process's id
	pid = core.pid,
	---@type string the version of this library
	version = core.version,
	---@type string the commit that the native library was built from; "" outside a checkout
	gitsha1 = core.gitsha1,

	fork = task.fork,
	wait = task.wait,
	wakeup = task.wakeup,
	running = task.running,
	status = task.status,
	taskstat = task.taskstat,
	tasks = task.tasks,
	tracenode = task.tracenode,
	tracespawn = task.tracespawn,
	traceset = task.traceset,
	tracepropagate = task.tracepropagate,
}

local traceback = debug and debug.traceback

local function explain(problem)
	local named, text = pcall(tostring, problem)
	text = "error: " .. (named and text or "(an error object whose tostring fails)")
	return traceback and traceback(text, 2) or text
end

--- Calls a function and catches its errors, with a traceback.
---@param fn function what to call
---@param ... any its arguments
---@return boolean ok false when it has raised
---@return any ... its results; or the message, with the traceback
function silly.pcall(fn, ...)
	return xpcall(fn, explain, ...)
end

if not select(2, xpcall(function(...) return ... end, explain, true)) then
	-- Lua 5.1 hands no arguments on.
	function silly.pcall(fn, ...)
		local arguments, count = { ... }, select("#", ...)
		return xpcall(function()
			return fn(unpack(arguments, 1, count)) -- luacheck: ignore 143
		end, explain)
	end
end

--- Logs an error with a traceback. It does not raise.
---@param message any what has gone wrong, as tostring shows it
function silly.error(message)
	local text = tostring(message)
	log.record(log.ERROR, traceback and traceback(text, 2) or text)
end

-- Requiring silly again must not give the same numbers again.
core.loaded.generated = core.loaded.generated or 0

--- A number that this function has not given before: 1, 2, 3, up to 32 bits, then 1 again.
---@return integer id
function silly.genid()
	local generated = core.loaded.generated % 0xffffffff + 1
	core.loaded.generated = generated
	return generated
end

--- Ends the program: everything is closed, what is queued is written for up to two seconds, and the
--- process exits with `status`. It never returns, and nothing of the script runs any more. In a
--- host's loop, or a host's own process, only the loop ends.
---@param status integer? of the process, its low 8 bits; 0 by default
function silly.exit(status)
	if status ~= nil then
		status = check.integer("silly.exit", "the status", status, -2 ^ 31, 2 ^ 32)
	end
	loop.exit(status or 0)
end

--- Runs the loop until nothing can happen any more or `silly.exit` is called. Needed only where the
--- loop does not start by itself: in a REPL, `lua -e`, a test runner, a host, or under a debug hook.
---
--- Raises when the loop is running already, and when it cannot run here, such as in a forked child.
---@param main fun()? the first task; none by default
---@return integer status what `silly.exit` was called with, or 0
function silly.run(main)
	if main ~= nil then
		check.type("silly.run", "the first argument", main, "function")
	end
	start.disarm()
	local status = loop.run("silly.run", main)
	return status
end

--- One turn of the loop, for a host that owns the thread: runs what is ready, moves the sockets,
--- and runs what they brought.
---
--- Raises when the loop is running already, and when it cannot run here, such as in a forked child.
---@param ms integer? milliseconds to wait for something to happen; 0 by default. Too long delays
---  whatever else the host has to do; 0 in a busy loop costs a processor.
---@return boolean pending whether anything can still happen
function silly.step(ms)
	ms = ms ~= nil and check.integer("silly.step", "the time in milliseconds", ms, 0, 2 ^ 31) or 0
	start.disarm()
	local pending = loop.step(ms)
	return pending
end

--- True while anything can still happen: a task is ready, a timer set, a connection or listener
--- open. What `silly.step` returned last, as it is now.
---@return boolean pending
function silly.pending()
	return loop.pending()
end

--- How long a host may wait before the next `silly.step`, rounded up: 0 when a step would do
--- something at once, nil when nothing is scheduled. It says nothing of sockets: see `silly.fd`.
---@return integer? milliseconds
function silly.timeout()
	return loop.timeout()
end

--- A descriptor for a host's own poll or select (Linux). It is readable whenever a step would do
--- something: a socket, a name server's answer, a timer, a task that became ready, or what was asked
--- for between two steps. The number stays the same as long as the Lua state; never close it.
---@return integer? fd the descriptor
---@return string? err why there is none: it needs Linux
function silly.fd()
	return loop.fd()
end

return silly
