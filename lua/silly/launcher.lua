--- `silly script.lua` and `silly COMMAND`: finds out what is to be done and has it done in a task, so
-- that it may wait from its first line on. It is itself a script, the only file here that is not a
-- module; each command is a file of silly/cli/.

--- What it was called as: bin/silly of a checkout says so, elsewhere it is the command.
local CALLED = os.getenv "SILLY_LAUNCHER" or "silly"

local USAGE = ([[
usage: SILLY [options] script [arguments]
       SILLY [options] COMMAND [arguments]

Runs a Lua script in the loop of silly; its main chunk is a task. "-" reads the script from
standard input. The process ends when nothing can happen any more, with status 1 if the main chunk
failed, or by silly.exit. Or does one of these:

  run SCRIPT [arguments]     the same as without "run"
  call HOST:PORT CMD [DATA]  asks a node once and prints the answer
  bench HOST:PORT            asks a node as fast as it answers: calls per second, latencies
  top HOST:PORT              shows what a node is doing, again and again
  help [COMMAND]             this text, or a command's own

A script that is named like one of them is run as ./run.

  -l LEVEL    log from this level on: debug, info (the default), warn or error
  --help      this text
  --version   versions of silly and of Lua
]]):gsub("SILLY", { SILLY = CALLED })

--- Each is a module silly.cli.NAME: `usage`, a text, and `prepare(first)`, which gets where in `arg` its
--- arguments begin. It returns a function that runs as a task and returns the process's status, or nil
--- to let the loop go on.
local COMMANDS = { run = true, call = true, bench = true, top = true }

--- What silly.exit may take after SIGTERM, in milliseconds. When 2 s are over since the signal, the
--- system ends the process.
local TERM_LIMIT = 1500

local LEVELS = { debug = "DEBUG", info = "INFO", warn = "WARN", error = "ERROR" }

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
	require("silly.cli.options").launcher = CALLED
	return core, require "silly.internal.loop", require "silly.internal.scheduler"
end

local function print_version()
	local core = load_silly()
	local commit = core.gitsha1 ~= "" and ", commit " .. core.gitsha1:sub(1, 10) or ""
	local jit = rawget(_G, "jit")
	io.write("silly-cluster ", core.version, " (", jit and jit.version or _VERSION, commit, ")\n")
	os.exit(0)
end

--- Prints the text of a command, or of the launcher.
local function help(name)
	if name == nil or name == "help" then
		io.write(USAGE)
	elseif COMMANDS[name] then
		load_silly()
		require("silly.cli.options").help(require("silly.cli." .. name))
	else
		misused("there is no command " .. name)
	end
	os.exit(0)
end

--- Reads what comes before the script or command. Returns where in `arg` that stands, and the log
--- level, if any.
local function read_options()
	local index, level = 1, nil
	while arg[index] and arg[index]:find("^%-.") do
		local option = arg[index]
		if option == "--" then
			index = index + 1
			break
		elseif option == "--help" or option == "-h" then
			help()
		elseif option == "--version" then
			print_version()
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

local index, level = read_options()
local name = arg[index]
if name == "help" then
	help(arg[index + 1])
end
local core, loop, scheduler = load_silly()
local command = require("silly.cli." .. (COMMANDS[name] and name or "run"))
require("silly.internal.start").disarm()
loop.owns_process = true
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

local main = command.prepare(COMMANDS[name] and index + 1 or index)
local running, failed = true, false
local first = scheduler.fork(function()
	local status = main()
	running = false -- from now on another task may have this one's thread
	if status then
		loop.exit(status)
	end
end)
scheduler.watch(function(task, by_error)
	failed = failed or by_error and running and task == first
end)
local status = loop.run("silly")
if failed and not loop.exit_status then
	status = 1
end
if status ~= 0 then
	os.exit(status, true)
end
