--- Starting the loop under a plain interpreter: `lua script.lua` runs it when the script's main
--- chunk has ended.
--
-- A return hook on the main thread sees that end. It must recognise the frame, not the chunk's
-- function, because `return main()` replaces it. Where the program is no script of an
-- interpreter (a REPL, `lua -e`, a test runner, a host that embeds Lua) nothing is installed.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
require "silly.internal.log"

if core.loaded.start then
	return core.loaded.start --[[@as silly.start]]
end

---@class silly.start
local start = {}
core.loaded.start = start

-- Some hosts have no such libraries, and scripts may take them away.
local debug, stderr, exit = debug, io and io.stderr, os and os.exit

--- LuaJIT has one hook for all coroutines, the others one for each.
local ONE_HOOK = rawget(_G, "jit") ~= nil

--- The test runners that are scripts themselves, by a module that each has loaded.
local RUNNERS = { "busted", "busted.runner", "busted.core", "luaunit" }

--- Whether an interpreter of the usual kind runs this, and the script's name if it runs one.
---@return boolean interpreter
---@return string? script
local function program()
	local arg = rawget(_G, "arg")
	if type(arg) ~= "table" then
		return false
	end
	local first = 0
	while type(arg[first - 1]) == "string" do
		first = first - 1
	end
	if type(arg[first]) ~= "string" then
		return false
	end
	local interpreter = arg[first]:match("[^/\\]*$"):lower()
	if not (interpreter:find("^lua%d*[%d.-]*$") or interpreter:find("^luajit[%d.-]*")
		or interpreter:find("^lua[%d.-]*%.exe$")) then
		return false
	end
	for _, runner in ipairs(RUNNERS) do
		if package.loaded[runner] then
			return false
		end
	end
	for index = first + 1, -1 do
		if arg[index] == "-i" then
			return true -- a REPL follows the script
		end
	end
	-- In a REPL or under `lua -e` the name in the middle is the interpreter's own, or none.
	return true, first < 0 and arg[0] or nil
end

--- The main thread, false where it needs no name, nil where it cannot be reached.
local function main_thread()
	local running, is_main = coroutine.running()
	if ONE_HOOK or running == nil then
		return false
	elseif is_main then
		return running
	end
	local registry = debug.getregistry()
	for _, index in ipairs { 1, 3 } do -- 5.2 to 5.4, and 5.5
		if type(registry[index]) == "thread" and is_main ~= nil then
			return registry[index]
		end
	end
end

local function on_main_thread()
	local running, is_main = coroutine.running()
	return running == nil or is_main
end

--- True when the function that is just returning, two levels above, was called by nobody but the
--- interpreter.
local function script_is_ending(script)
	local info = debug.getinfo(3, "S")
	if not info or info.what == "C" then
		return false
	end
	if info.what == "main" then
		local expected = script == "-" and "=stdin" or "@" .. script
		if info.source ~= expected then
			return false -- LUA_INIT, or a -e before the script
		end
	end
	local level = 4
	local caller = debug.getinfo(level, "S")
	while caller and caller.what == "tail" do
		level = level + 1
		caller = debug.getinfo(level, "S")
	end
	return caller ~= nil and caller.what == "C" and debug.getinfo(level + 1, "S") == nil
end

--- LuaJIT runs hooks with a mark set under which a C function that yields crashes. An error that
--- is caught by a pcall begun before the hook clears it: one waits here, to be resumed in there.
local function leave_hook()
	if ONE_HOOK then
		local parked = coroutine.create(function()
			pcall(function()
				coroutine.yield()
				error("leave the hook", 0)
			end)
		end)
		coroutine.resume(parked)
		return parked
	end
end

local armed = false
local armed_thread, armed_hook

local function hook_stands()
	return armed and debug.gethook(armed_thread or nil) == armed_hook
end

--- Says so when the state closes while tasks wait for a loop that never ran. A script whose end
--- the hook was still waiting for has raised, which the interpreter has told already; but LuaJIT's
--- hook also misses the end of a script that returns what a C function returns.
local function warn_if_never_run()
	local waiting = scheduler.count() > 0 or core.alive()
	local raised = hook_stands() and not ONE_HOOK
	if waiting and not loop.ran and not scheduler.stopped and not raised then
		stderr:write(
			"silly: the program ended, but its tasks never ran: start it with `silly script.lua`, "
				.. "or call silly.run() at its end\n"
		)
	end
end

local function watch_for_close()
	if not stderr then
		return
	end
	local function finalise()
		pcall(warn_if_never_run)
	end
	local newproxy = rawget(_G, "newproxy")
	if newproxy then
		start.sentinel = newproxy(true)
		getmetatable(start.sentinel).__gc = finalise
	else
		start.sentinel = setmetatable({}, { __gc = finalise })
	end
end

--- Takes the hook away: somebody else runs the loop.
function start.disarm()
	if armed then
		local stands = hook_stands()
		armed = false
		scheduler.unhook = nil
		if not stands then
			return -- the script has set one of its own since
		elseif armed_thread then
			debug.sethook(armed_thread)
		else
			debug.sethook()
		end
	end
end

local function arm(script)
	local thread = main_thread()
	if thread == nil or debug.gethook(thread or nil) ~= nil then
		return -- no way to reach the main thread, or the script has a hook of its own
	end
	local parked = leave_hook()
	local function hook()
		if armed and on_main_thread() and script_is_ending(script) then
			start.disarm()
			if parked then
				coroutine.resume(parked)
			end
			local status = loop.run("silly")
			if status ~= 0 and exit then
				exit(status)
			end
		end
	end
	armed, armed_thread, armed_hook = true, thread, hook
	if not ONE_HOOK then
		-- Coroutines made meanwhile inherit the hook and would stay slow.
		scheduler.unhook = function(task)
			debug.sethook(task)
		end
	end
	if thread then
		debug.sethook(thread, hook, "r")
	else
		debug.sethook(hook, "r")
	end
end

watch_for_close()
local interpreter, script = program()
loop.owns_process = interpreter and exit ~= nil
if script and debug and debug.sethook then
	arm(script)
end

return start
