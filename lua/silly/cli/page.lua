--- The page that `silly top` shows: what has changed between two reports of silly.status.

local figures = require "silly.cli.figures"
local histogram = require "silly.internal.histogram"

local page = {}

--- What is counted, in pairs: in and out.
local TRAFFIC = {
	{ "requests", "requests_received", "requests_sent" },
	{ "answers", "responses_received", "responses_sent" },
	{ "bytes", "bytes_received", "bytes_sent" },
}

--- What should stay at 0, and what it is called.
local TROUBLE = {
	{ "timeouts", "timeouts" }, { "drops", "drops" }, { "strays", "strays" },
	{ "refused connections", "refused_connections" }, { "refused frames", "refused_frames" },
	{ "overloads", "overloads" },
}

--- A list's entries by name.
local function by_name(list)
	local index = {}
	for _, entry in ipairs(list) do
		index[entry.name] = entry
	end
	return index
end

local function traffic(lines, before, now, seconds)
	lines[#lines + 1] = ("%-12s %14s %14s %18s %18s"):format(
		"", "in per second", "out per second", "in since start", "out since start")
	for _, row in ipairs(TRAFFIC) do
		local name, incoming, outgoing = row[1], row[2], row[3]
		local show = name == "bytes" and figures.bytes or figures.count
		lines[#lines + 1] = ("%-12s %14s %14s %18s %18s"):format(name,
			show((now.stats[incoming] - before.stats[incoming]) / seconds),
			show((now.stats[outgoing] - before.stats[outgoing]) / seconds),
			show(now.stats[incoming]), show(now.stats[outgoing]))
	end
end

local function commands(lines, before, now, seconds)
	lines[#lines + 1] = ("%-12s %14s %18s %12s %12s %12s"):format(
		"command", "per second", "since start", "p50", "p99", "max")
	local earlier = by_name(before.commands)
	for _, command in ipairs(now.commands) do
		local old = earlier[command.name] or { requests = 0 }
		local took = histogram.between(command.took, old.took)
		lines[#lines + 1] = ("%-12s %14s %18s %12s %12s %12s"):format(command.name,
			figures.count((command.requests - old.requests) / seconds), figures.count(command.requests),
			took.count > 0 and figures.duration(took:percentile(0.5)) or "-",
			took.count > 0 and figures.duration(took:percentile(0.99)) or "-",
			took.count > 0 and figures.duration(took.longest) or "-")
	end
	if now.commands_left_out > 0 then
		lines[#lines + 1] = ("and %d more"):format(now.commands_left_out)
	end
end

local function peers(lines, before, now, seconds)
	lines[#lines + 1] = ("%-47s %-14s %10s"):format("peer", "connection", "requests/s")
	local earlier = by_name(before.peers)
	for _, peer in ipairs(now.peers) do
		local old = earlier[peer.name] or peer
		lines[#lines + 1] = ("%-47s %-14s %10s"):format(peer.name,
			(peer.dials and "out" or "in") .. (peer.connected and "" or ", down"),
			figures.count(math.max(0, peer.requests - old.requests) / seconds))
	end
	if now.peers_left_out > 0 then
		lines[#lines + 1] = ("and %d more"):format(now.peers_left_out)
	end
end

--- The page's lines.
---@param address string the node's
---@param before table a report
---@param now table a later one
---@return string[]
function page.lines(address, before, now)
	local stats, seconds = now.stats, (now.elapsed - before.elapsed) / 1e6
	local trouble = {}
	for index, row in ipairs(TROUBLE) do
		trouble[index] = ("%s %s"):format(row[1], figures.count(stats[row[2]]))
	end
	local lines = {
		("%s   pid %d   up %s   silly-cluster %s, %s"):format(
			address, now.pid, figures.age(now.elapsed), now.version, now.lua),
		("connections in %d, out %d   listeners %d   tasks %d   Lua memory %s"):format(
			stats.connections_in, stats.connections_out, stats.listeners, now.tasks,
			figures.bytes(now.memory)),
		("handlers at work %d   calls in flight %d   queued %s"):format(
			stats.handlers, stats.calls_in_flight, figures.bytes(stats.bytes_queued)),
		"since start: " .. table.concat(trouble, "   "),
		"",
	}
	traffic(lines, before, now, seconds)
	lines[#lines + 1] = ""
	commands(lines, before, now, seconds)
	lines[#lines + 1] = ""
	peers(lines, before, now, seconds)
	return lines
end

return page
