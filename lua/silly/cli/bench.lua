--- `silly bench host:port`: how many calls a node answers in a second, and how long each takes.

local client = require "silly.cli.client"
local cluster = require "silly.net.cluster"
local core = require "silly.internal.core"
local figures = require "silly.cli.figures"
local histogram = require "silly.internal.histogram"
local options = require "silly.cli.options"
local task = require "silly.task"
local time = require "silly.time"

local bench = {
	name = "bench",
	usage = [[
usage: SILLY bench [options] HOST:PORT

Some callers ask a node again and again over one connection, each as soon as it has its answer, and
the answers of a while are counted. The node is asked for real: give a command that it may carry out
that often.

  --callers N     calls in flight, 1 to 100000 (64). Few measure how long a call takes; many, how
                  much the node can do, and each call waits for the others
  --size BYTES    data of each call, 0 to 65519 (32)
  --seconds S     how long, 0.01 to 86400 (5). Too short measures chance
  --cmd CMD       the command's number (1)
  --timeout MS    for each call, 1 to 86400000 (5000)
]] .. client.USAGE .. [[

Status 0 if every call was answered; 1, with the reasons on stderr, if not.
]],
	options = client.options {
		callers = { default = 64, least = 1, most = 100000 },
		size = { default = 32, least = 0, most = 65519 },
		seconds = { default = 5, least = 0.01, most = 86400, fraction = true },
		cmd = { default = 1, least = 0, most = client.LAST_CMD },
	},
}

--- A caller whose call has failed at once would otherwise do nothing but fail.
local REST = 50

--- Calls until the process ends.
local function keep_calling(peer, given, data, result)
	while true do
		local began = core.microseconds()
		local answer, why = cluster.call(peer, given.cmd, data)
		if answer then
			result.took:add(core.microseconds() - began)
		else
			result.failed = result.failed + 1
			result.reasons[why] = (result.reasons[why] or 0) + 1
			time.sleep(REST)
		end
	end
end

local function print_result(address, given, result, elapsed)
	local took, seconds = result.took, elapsed / 1e6
	print(("%s: %d callers, %d bytes, command %d, %.2f s"):format(
		address, given.callers, given.size, given.cmd, seconds))
	print(("answered  %s, %s per second"):format(
		figures.count(took.count), figures.count(took.count / seconds)))
	print(("failed    %s"):format(figures.count(result.failed)))
	print(("latency   p50 %s, p90 %s, p99 %s, p99.9 %s, max %s"):format(
		figures.duration(took:percentile(0.5)), figures.duration(took:percentile(0.9)),
		figures.duration(took:percentile(0.99)), figures.duration(took:percentile(0.999)),
		figures.duration(took.longest)))
end

--- Reads the command line; what measures.
function bench.prepare(first)
	local given, words = options.read(bench, first)
	if #words > 1 then
		options.misused(bench, "too many arguments")
	end
	local peer = client.open(bench, words[1], given)
	local data = ("x"):rep(given.size)
	return function()
		-- One call before the clock starts: it connects, and shows whether there is an answer at all.
		local answer, why = cluster.call(peer, given.cmd, data)
		if not answer then
			return client.failed(bench, client.explain(why))
		end
		local result = { took = histogram.new(), failed = 0, reasons = {} }
		local began = core.microseconds()
		for _ = 1, given.callers do
			task.fork(function()
				keep_calling(peer, given, data, result)
			end)
		end
		time.sleep(math.ceil(given.seconds * 1000))
		print_result(words[1], given, result, core.microseconds() - began)
		for reason, count in pairs(result.reasons) do
			client.failed(bench, ("%s calls failed: %s"):format(
				figures.count(count), client.explain(reason)))
		end
		return (result.failed > 0 or result.took.count == 0) and 1 or 0
	end
end

return bench
