--- `silly script.lua`: runs a script with its main chunk as a task, so that it may wait from its
--- first line on. It is itself a script, the only file here that is not a module.

local USAGE = [[
usage: silly [options] script [arguments]

Runs a Lua script in the loop of silly; its main chunk is a task. "-" reads the script from
standard input. The process ends when nothing can happen any more, with status 1 if the main chunk
failed, or by silly.exit.

  -l LEVEL    log from this level on: debug, info (the default), warn or error
  --help      this text
  --version   versions of silly and of Lua
]]

--- What silly.exit may take after SIGTERM, in milliseconds. When 2 s are over since the signal, the
--- system ends the process.
local TERM_LIMIT = 1500

local LEVELS = { debug = "DEBUG", info = "INFO", warn = "WARN", error = "ERROR" }

local unpack = table.unpack or rawget(_G, "unpack")

local function say(message)
	io.stderr:write("silly: ", message, "\n")
end

--- A mistake in the command line.
local function misused(message)
	say(message)
	io.stderr:write("\n", USAGE)
	os.exit(2)
end

--- The native library and what runs on it.
local function load_silly()
	local ok, core = pcall(require, "silly.internal.core")
	if not ok then
		io.stderr:write(tostring(core), "\n")
		os.exit(1)
	end
	-- An interpreter's own answer to Ctrl-C is a traceback, and only once Lua runs again.
	core.interruptible(true)
	return core, require "silly.internal.loop", require "silly.internal.scheduler"
end

--- Reads the options. Returns where in `arg` the script stands, and the log level, if any.
local function read_options()
	local index, level = 1, nil
	while arg[index] and arg[index]:find("^%-.") do
		local option = arg[index]
		if option == "--" then
			index = index + 1
			break
		elseif option == "--help" or option == "-h" then
			io.write(USAGE)
			os.exit(0)
		elseif option == "--version" then
			local core = load_silly()
			local commit = core.gitsha1 ~= "" and ", commit " .. core.gitsha1:sub(1, 10) or ""
			local jit = rawget(_G, "jit")
			io.write("silly-cluster ", core.version, " (", jit and jit.version or _VERSION, commit, ")\n")
			os.exit(0)
		elseif option == "-l" then
			level = LEVELS[arg[index + 1]]
			if not level then
				misused("-l must be followed by debug, info, warn or error")
			end
			index = index + 2
		else
			misused("unknown option " .. option)
		end
	end
	if not arg[index] then
		misused("which script?")
	end
	return index, level
end

--- Makes the script's `arg` as the interpreter would: its name at 0, its arguments from 1.
local function shift_arguments(by)
	local first = 0
	while arg[first - 1] do
		first = first - 1
	end
	local shifted = {}
	for index = first, #arg do
		shifted[index - by] = arg[index]
	end
	rawset(_G, "arg", shifted)
end

local index, level = read_options()
local core, loop, scheduler = load_silly()
require("silly.internal.start").disarm()
loop.owns_process = true
shift_arguments(index)
if level then
	local logger = require "silly.logger"
	logger.setlevel(logger[level])
end

local watch = require "silly.internal.watch"
watch.fallback("SIGTERM", function()
	loop.exit(128 + core.signals.SIGTERM, TERM_LIMIT)
end, true)
watch.fallback("SIGHUP", function()
	local logger = require "silly.logger"
	local ok, why = logger.reopen()
	if not ok then
		logger.error(why)
	end
end, false)

local name = arg[0]
local chunk, problem = loadfile(name ~= "-" and name or nil)
if not chunk then
	say(problem)
	os.exit(1)
end

local running, failed = true, false
local main = scheduler.fork(function()
	chunk(unpack(arg))
	running = false -- from now on another task may have this one's thread
end)
scheduler.watch(function(task, by_error)
	failed = failed or by_error and running and task == main
end)
local status = loop.run("silly")
if failed and not loop.exit_status then
	status = 1
end
if status ~= 0 then
	os.exit(status, true)
end
