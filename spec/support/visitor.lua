--- What a host with a loop of its own lets run in the specs: both ends of some calls, one of which
--- takes its time, and then nothing at all.

local cluster = require "silly.net.cluster"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"

local visitor = {
	--- how long the slow call and the idle time after it last, in milliseconds
	SLOW = 200, IDLE = 300,
	--- how often the host has stepped
	steps = 0,
}

local QUICK, SLOW = 1, 2

--- The host's own step, when the descriptor says so.
---@return boolean pending
function visitor.step()
	visitor.steps = visitor.steps + 1
	return silly.step(0)
end

--- Begins; the host only has to wait on silly.fd.
---@param ticks fun(): integer how often a timer of the host's has fired
---@param idle fun(ms: integer, done: fun()) a timer of the host's, since one of ours would be a
---  reason to step
function visitor.begin(ticks, idle)
	cluster.serve {
		marshal = function(_, cmd, body)
			return cmd, body
		end,
		unmarshal = function(_, _, data)
			return data
		end,
		call = function(_, cmd, body)
			if cmd == SLOW then
				time.sleep(visitor.SLOW)
			end
			return body:upper()
		end,
	}
	task.fork(function()
		local listener = assert(cluster.listen("127.0.0.1:0"))
		local peer = cluster.connect("localhost:" .. listener.addr:match("%d+$"))
		for round = 1, 100 do
			assert(cluster.call(peer, QUICK, "call " .. round) == "CALL " .. round)
		end
		local before = ticks()
		assert(cluster.call(peer, SLOW, "slow") == "SLOW")
		assert(ticks() > before, "the host's timers stand still during a call")
		-- The last one's answer is written and its deadline gone: now there is nothing to do.
		local steps, thread = visitor.steps, task.running()
		idle(visitor.IDLE, function()
			task.wakeup(thread, visitor.steps - steps)
		end)
		local woken = task.wait()
		assert(woken <= 5, "woken " .. woken .. " times while nothing happened")
		print("answered, and idle")
		cluster.close(peer)
		cluster.close(listener)
	end)
end

return visitor
