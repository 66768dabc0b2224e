--- `silly top host:port`: what a node is doing, again and again.

local client = require "silly.cli.client"
local cluster = require "silly.net.cluster"
local core = require "silly.internal.core"
local json = require "silly.internal.json"
local options = require "silly.cli.options"
local page = require "silly.cli.page"
local screen = require "silly.cli.screen"
local signal = require "silly.signal"
local silly = require "silly"
local status = require "silly.status"
local time = require "silly.time"

local top = {
	name = "top",
	usage = [[
usage: SILLY top [options] HOST:PORT

Shows what a node is doing: traffic, commands and how long their handlers take, peers. Ctrl-C ends
it. Where stdout is no terminal, pages follow one another. The node must answer the status command:
it calls cluster.serve(require "silly.status".wrap(conf)).

  --once          one page, and the end
  --interval MS   between two pages, and what rates are measured over, 50 to 3600000 (1000). Too
                  short shows chance, too long hides bursts
  --cmd CMD       the status command, if the node has given wrap another one than 0x73746174
  --timeout MS    to wait for the node, 1 to 86400000 (5000)
]] .. client.USAGE .. [[

Status 1, with the reason on stderr, if the first or the only page was not to be had.
]],
	options = client.options {
		once = { flag = true },
		interval = { default = 1000, least = 50, most = 3600 * 1000 },
		cmd = { default = status.COMMAND, least = 0, most = client.LAST_CMD },
	},
}

--- What a node answers that knows nothing of the command is up to its codec; this is a report.
local function is_report(value)
	return type(value) == "table" and type(value.stats) == "table" and type(value.commands) == "table"
		and type(value.peers) == "table" and type(value.elapsed) == "number"
end

--- What a node's script must do to be shown.
local REMEDY = ". For reports it must call cluster.serve(require \"silly.status\".wrap(conf)); "
	.. "--cmd names the command, if wrap was given another one"

--- Asks the node; nil and why there is no report.
---@async
local function ask(peer, cmd)
	local answer, why = cluster.call(peer, cmd, "")
	local report = answer and json.decode(answer)
	if is_report(report) then
		return report
	elseif answer then
		return nil, ("the answer to command 0x%x is no status report%s"):format(cmd, REMEDY)
	elseif why == "timeout" then
		return nil, ("timeout: the node is busy, or does not know command 0x%x%s"):format(cmd, REMEDY)
	end
	return nil, why
end

--- Ends by a signal as the system would, with the terminal as it was.
local function restore_at_the_end()
	for _, name in ipairs { "SIGINT", "SIGTERM", "SIGHUP" } do
		signal(name, function()
			screen.leave()
			silly.exit(128 + core.signals[name])
		end)
	end
end

--- Shows a page every interval, until a signal, or until nobody reads any more.
---@async
---@return integer status
local function watch(peer, address, given, before)
	local terminal = screen.is_terminal()
	if terminal then
		restore_at_the_end()
		screen.enter()
		screen.show { address, "", "measuring ..." }
	end
	local lines = {}
	while true do
		time.sleep(given.interval)
		local now, why = ask(peer, given.cmd)
		-- A node that was started again counts from 0.
		if now and now.pid == before.pid and now.elapsed > before.elapsed then
			lines = page.lines(address, before, now)
		end
		before = now or before
		if terminal then
			-- A node that does not answer may come back; meanwhile its last page stays.
			lines[1] = now and lines[1] or address .. "   no report: " .. why
			screen.show(lines)
		else
			local text = now and table.concat(lines, "\n") .. "\n" or address .. "   no report: " .. why
			if not (io.stdout:write(text, "\n") and io.stdout:flush()) then
				return 1 -- whoever read the pages has gone, and SIGPIPE is ignored here
			end
		end
	end
end

--- Reads the command line; what shows the pages.
function top.prepare(first)
	local given, words = options.read(top, first)
	if #words > 1 then
		options.misused(top, "too many arguments")
	end
	local address = words[1]
	local peer = client.open(top, address, given)
	return function()
		local before, why = ask(peer, given.cmd)
		if before and not given.once then
			return watch(peer, address, given, before)
		end
		local now
		if before then
			time.sleep(given.interval)
			now, why = ask(peer, given.cmd)
		end
		if not now then
			return client.failed(top, why)
		end
		print(table.concat(page.lines(address, before, now), "\n"))
		return 0
	end
end

return top
