--- Starting the loop under a plain interpreter: `lua script.lua` runs it when the script's main
--- chunk has ended.
--
-- A return hook on the main thread sees that end. It must recognise the frame, not the chunk's
-- function, because `return main()` replaces it. Where the program is no script of an
-- interpreter (a REPL, `lua -e`, a test runner, a host that embeds Lua) nothing is installed.

local core = require "silly.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"

if core.loaded.start then
	return core.loaded.start
end

---@class silly.start
local start = {}
core.loaded.start = start

--- The test runners that are scripts themselves, by a module that each has loaded.
local RUNNERS = { "busted", "busted.runner", "busted.core", "luaunit" }

--- The script's name, if an interpreter of the usual kind is running one.
---@return string?
local function script_name()
	local arg = rawget(_G, "arg")
	if type(arg) ~= "table" or type(arg[0]) ~= "string" or type(arg[-1]) ~= "string" then
		return nil -- a host, a REPL or `lua -e`: only a script has words before its name
	end
	local first = -1
	while type(arg[first - 1]) == "string" do
		first = first - 1
	end
	local interpreter = arg[first]:match("[^/\\]*$"):lower()
	if not (interpreter:find("^lua%d*[%d.-]*$") or interpreter:find("^luajit[%d.-]*")
		or interpreter:find("^lua[%d.-]*%.exe$")) then
		return nil
	end
	for index = first + 1, -1 do
		if arg[index] == "-i" then
			return nil -- a REPL follows the script
		end
	end
	for _, runner in ipairs(RUNNERS) do
		if package.loaded[runner] then
			return nil
		end
	end
	return arg[0]
end

local function main_thread()
	local running, is_main = coroutine.running()
	if running == nil or is_main then
		return running or false -- false: 5.1 and LuaJIT have no value for it
	end
	local registered = debug.getregistry()[1]
	return type(registered) == "thread" and registered or nil
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
--- passes through a coroutine clears it.
local function leave_hook()
	if rawget(_G, "jit") then
		local parked = coroutine.create(function()
			pcall(function()
				coroutine.yield()
				error("leave the hook", 0)
			end)
		end)
		return parked
	end
end

local armed = false

--- Says so when the state closes while tasks wait for a loop that never ran.
local function warn_if_never_run()
	if not loop.ran and not scheduler.stopped and (scheduler.count() > 0 or core.alive()) then
		io.stderr:write(
			"silly: the program ended, but its tasks never ran: start it with `silly script.lua`, "
				.. "or call silly.run() at its end\n"
		)
	end
end

local function watch_for_close()
	if not (io and io.stderr) then
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
		armed = false
		scheduler.unhook = nil
		local thread = main_thread()
		if thread then
			debug.sethook(thread)
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
		if armed and script_is_ending(script) then
			start.disarm()
			if parked then
				coroutine.resume(parked)
				coroutine.resume(parked)
			end
			local status = loop.run("silly")
			if status ~= 0 then
				os.exit(status)
			end
		end
	end
	armed = true
	loop.owns_process = true
	-- Coroutines made meanwhile inherit the hook and would stay slow.
	scheduler.unhook = function(task)
		debug.sethook(task)
	end
	if thread then
		debug.sethook(thread, hook, "r")
	else
		debug.sethook(hook, "r")
	end
end

watch_for_close()
local script = debug and debug.sethook and script_name()
if script then
	arm(script)
end

return start
