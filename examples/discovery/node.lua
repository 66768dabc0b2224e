-- A node that knows the others by their service, and calls them in turn; see run.lua.
--
-- usage: node.lua ENDPOINT NAME: of etcd, and of this node. On SIGUSR1 it stops calling and says how that
-- went; on SIGTERM it leaves.

local cluster = require "silly.net.cluster"
local registry = require "silly.net.registry"
local signal = require "silly.signal"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"

local endpoint, name = arg[1], arg[2]

local CALLERS, HELLO = 8, 1

-- What is printed is read through a pipe while this goes on.
io.stdout:setvbuf("line")

-- The other nodes: all that are in the service, by name; and those that are called in turn.
local others, turns = {}, {}
-- Those whose connection was lost.
local lost = {}
local answered, afterwards, failed, needless = 0, 0, 0, 0

local function take_out(peer)
	for place, other in ipairs(turns) do
		if other == peer then
			table.remove(turns, place)
		end
	end
end

local function put_in(peer)
	take_out(peer)
	lost[peer] = nil
	turns[#turns + 1] = peer
end

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(_, _, body)
		time.sleep(2)
		return body
	end,
	-- The system tells of a process that has died long before the registry does, and this is called before
	-- the calls in flight fail: whoever calls after that calls somebody else.
	close = function(peer)
		lost[peer] = true
		take_out(peer)
		-- A node that is still there after a while was only cut off.
		time.after(3000, function()
			for _, other in pairs(others) do
				if other == peer then
					put_in(peer)
				end
			end
		end)
	end,
}

local function on_change(event, node)
	if node.name == name then
		return
	end
	local known = others[node.name]
	if known then
		others[node.name] = nil
		take_out(known)
		cluster.close(known)
	end
	if event ~= "left" then
		-- A table with an address is a handle. cluster.connect would wait for the connection, and the node
		-- might have left by then.
		others[node.name] = { addr = node.addr }
		put_in(others[node.name])
	end
end

local calling, callers = true, waitgroup.new()

local function call_in_turn()
	while calling do
		local peer = table.remove(turns, 1)
		if peer then
			turns[#turns + 1] = peer
			local was_lost = lost[peer]
			if cluster.call(peer, HELLO, "hello") then
				answered = answered + 1
				afterwards = afterwards + (next(lost) and 1 or 0)
			else
				-- It was in flight when the connection was lost, or it need not have failed.
				failed = failed + 1
				needless = needless + (lost[peer] and not was_lost and 0 or 1)
			end
		else
			time.sleep(10)
		end
	end
end

task.fork(function()
	local listener = assert(cluster.listen("127.0.0.1:0"))
	local reg = assert(registry.open { endpoints = { endpoint }, ttl = 1 })
	assert(reg:watch("game", function(event, node, view)
		on_change(event, node)
		local list = view:nodes()
		if event == "left" or #list == 5 then
			for index, each in ipairs(list) do
				list[index] = each.name
			end
			print("sees " .. table.concat(list, " "))
		end
	end))
	assert(reg:join("game", listener.addr, name))
	for _ = 1, CALLERS do
		callers:fork(call_in_turn)
	end
	signal("SIGUSR1", function()
		calling = false
		callers:wait()
		print(("answered %d, after a loss %d; failed %d, without need %d"):format(
			answered, afterwards, failed, needless))
	end)
	signal("SIGTERM", function()
		reg:close()
		silly.exit()
	end)
end)
