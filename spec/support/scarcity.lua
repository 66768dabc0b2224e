--- Programs that may have few files open at once.

local shell = require "spec.support.shell"

local scarcity = {}

--- So many descriptors; the interpreter and the library's loop take about ten.
scarcity.LIMIT = 64

--- What runs such a program.
local command = ("sh -c 'ulimit -n %d; exec \"$@\"' - %s"):format(scarcity.LIMIT, shell.lua)

--- What they have in common: a node that answers what it is asked, every module, since none could be
--- loaded later, and a grip on the descriptors that are left.
local PRELUDE = [[
local cluster, tcp = require "silly.net.cluster", require "silly.net.tcp"
local dns, logger = require "silly.net.dns", require "silly.logger"
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local signal = require "silly.signal"
cluster.serve {
	marshal = function(_, cmd, body) return cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, _, body) return "r:" .. body end,
}
local hoard = {}
local function starve()
	repeat
		local file = io.open("/dev/null")
		hoard[#hoard + 1] = file
	until not file
end
local function relieve()
	for index = 1, #hoard do hoard[index]:close() hoard[index] = nil end
end
local function say(...)
	print(...)
	io.stdout:flush()
end
]]

--- Starts one and returns while it runs; see shell.start.
function scarcity.start(script)
	return shell.start(PRELUDE .. script, { command = command })
end

--- The lines of a log without time and trace.
function scarcity.lines(err)
	local lines = {}
	for line in err:gmatch("[^\n]+") do
		lines[#lines + 1] = line:match("^%d%S+ %S+ %x+ (.*)") or line
	end
	return lines
end

--- Runs one to its end as a task: what it printed, and the lines of its log.
function scarcity.run(script)
	shell.write("script.lua", ("%s task.fork(function()\n%s\nsilly.exit(0) end)"):format(PRELUDE, script))
	local result = shell.command(command .. " script.lua")
	return result.out, scarcity.lines(result.err)
end

return scarcity
