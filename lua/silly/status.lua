--- What a node is doing, for `silly top` and for whoever else asks: `cluster.serve(status.wrap(conf))`.
--
-- The wrapped codec knows one command more, whose answer is JSON; everything else passes on to the
-- node's own. It is the node's own choice, because whoever reaches its port can ask then.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local check = require "silly.internal.check"
local core = require "silly.internal.core"
local histogram = require "silly.internal.histogram"
local json = require "silly.internal.json"
local peers = require "silly.internal.peers"

if core.loaded.status then
	return core.loaded.status --[[@as silly.status]]
end

---@class silly.status
local status = {
	--- The command that is answered by default, 0x73746174: beyond the tags that zproto has.
	COMMAND = 0x73746174,
}
core.loaded.status = status

--- What one answer has room for, at 3 KiB a command and 150 bytes a peer.
local SHOWN_COMMANDS, SHOWN_PEERS = 16, 64

--- Commands that are counted each by itself; what strangers send must not take more and more memory.
local MOST_COMMANDS = 256

local microseconds = core.microseconds

--- Requests and how long their handlers took, by command.
local commands, known = {}, 0

--- Those beyond MOST_COMMANDS.
local others

--- Requests of each peer.
local requests = setmetatable({}, { __mode = "k" })

local function new_entry(cmd)
	return { cmd = cmd, requests = 0, took = histogram.new() }
end

--- The books of one command.
local function entry_of(cmd)
	local entry = commands[cmd]
	if entry then
		return entry
	elseif known < MOST_COMMANDS then
		known = known + 1
		commands[cmd] = new_entry(cmd)
		return commands[cmd]
	end
	others = others or new_entry("other")
	return others
end

--- The first so many of a list, the busiest first, and how many are left out.
local function busiest(list, most)
	table.sort(list, function(one, other)
		if one.requests ~= other.requests then
			return one.requests > other.requests
		end
		return one.name < other.name
	end)
	local left_out = math.max(0, #list - most)
	for index = #list, most + 1, -1 do
		list[index] = nil
	end
	return list, left_out
end

local function describe_commands()
	local list = {}
	for cmd, entry in pairs(commands) do
		list[#list + 1] = { name = tostring(cmd), requests = entry.requests, took = entry.took }
	end
	if others then
		list[#list + 1] = { name = "other", requests = others.requests, took = others.took }
	end
	local shown, left_out = busiest(list, SHOWN_COMMANDS)
	for _, command in ipairs(shown) do
		command.took = command.took:export()
	end
	return shown, left_out
end

local function describe_peers()
	local list = {}
	for _, known_peer in ipairs(peers.describe()) do
		list[#list + 1] = {
			name = known_peer.name,
			dials = known_peer.dials,
			connected = known_peer.peer.fd ~= nil,
			requests = requests[known_peer.peer] or 0,
		}
	end
	return busiest(list, SHOWN_PEERS)
end

--- What this process is doing, as a table: `version`, `lua`, `pid`, `elapsed` (microseconds since start),
--- `memory` (bytes that Lua uses), `tasks`, `stats` (as of cluster.stats); `commands`, the busiest 16 that a
--- wrapped conf has handled, each with `name`, `requests` and `took`; `peers`, the busiest 64, each with
--- `name`, `dials`, `connected` and `requests`; `commands_left_out`, `peers_left_out`.
---
--- `took` is how long the handlers took that have returned, waits included, since the start: a list in pairs,
--- a class and how many were in it, from the shortest class on, `{ 80, 12, 81, 3 }`. There are eight classes to
--- each doubling: class n is from 2^(n/8) up to 2^((n+1)/8) microseconds, so 80 is 1.02 to 1.12 ms. Class 0 has
--- all below 1.09 microseconds, class 240 all from 18 minutes on. Classes without any are left out. The
--- difference of two reports is what happened in between.
---@return table report
function status.report()
	local shown_commands, commands_left_out = describe_commands()
	local shown_peers, peers_left_out = describe_peers()
	local tasks = 0
	for _ in pairs(task.inspect()) do
		tasks = tasks + 1
	end
	local jit = rawget(_G, "jit")
	return {
		version = core.version,
		lua = jit and jit.version or _VERSION,
		pid = core.pid,
		elapsed = microseconds(),
		memory = math.floor(collectgarbage("count") * 1024),
		tasks = tasks,
		stats = cluster.stats(),
		commands = shown_commands,
		commands_left_out = commands_left_out,
		peers = shown_peers,
		peers_left_out = peers_left_out,
	}
end

--- A conf for cluster.serve that also answers the status command, and counts what the handler of the
--- given one does. It costs each request two clock reads and three function calls.
---@param conf silly.net.cluster.conf it is not changed
---@param cmd integer? status.COMMAND by default; must be none of the node's own
---@return silly.net.cluster.conf wrapped
function status.wrap(conf, cmd)
	check.type("status.wrap", "the conf", conf, "table")
	local own = status.COMMAND
	if cmd ~= nil then
		own = check.integer("status.wrap", "the command", cmd, 0, 2 ^ 32 - 1)
	end
	local marshal, unmarshal, call = conf.marshal, conf.unmarshal, conf.call
	local wrapped = {}
	for option, value in pairs(conf) do
		wrapped[option] = value
	end
	if not (marshal and unmarshal and call) then
		return wrapped -- cluster.serve says which is missing
	end

	function wrapped.marshal(kind, number, body)
		if number == own and kind == "response" then
			return number, body
		end
		return marshal(kind, number, body)
	end

	function wrapped.unmarshal(kind, number, data)
		if number == own and kind == "request" then
			return data
		end
		return unmarshal(kind, number, data)
	end

	function wrapped.call(peer, number, body)
		if number == own then
			return json.encode(status.report())
		end
		local entry = entry_of(number)
		entry.requests = entry.requests + 1
		requests[peer] = (requests[peer] or 0) + 1
		local began = microseconds()
		local answer = call(peer, number, body)
		entry.took:add(microseconds() - began)
		return answer
	end

	return wrapped
end

return status
