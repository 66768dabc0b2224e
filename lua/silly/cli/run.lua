--- `silly run script.lua`, and `silly script.lua`.

local log = require "silly.internal.log"
local open = require "silly.internal.open"
local options = require "silly.cli.options"
local watch = require "silly.internal.watch"

local unpack = table.unpack or rawget(_G, "unpack")

local run = {
	name = "run",
	usage = [[
usage: SILLY run SCRIPT [arguments]

Runs a Lua script in the loop of silly, as "SILLY SCRIPT" does: its main chunk is a task. "-" reads
the script from standard input. The script finds its name in arg[0] and its arguments from arg[1] on.
The process ends when nothing can happen any more, with status 1 if the main chunk failed, or by
silly.exit. Ctrl-\ (SIGQUIT) logs what it still waits for, and the script goes on.
]],
}

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

--- Loads the script; what runs its main chunk.
function run.prepare(first)
	local name = arg[first]
	if name == "--help" or name == "-h" then
		options.help(run)
	elseif not name then
		options.misused(run, "which script?")
	end
	shift_arguments(first)
	local chunk, problem = loadfile(name ~= "-" and name or nil)
	if not chunk then
		io.stderr:write("silly: ", problem, "\n")
		os.exit(1)
	end
	watch.fallback("SIGQUIT", function()
		log.write(log.INFO, "", "[silly] still open: " .. open.describe())
	end, false)
	return function()
		chunk(unpack(arg))
	end
end

return run
