-- Jobs spread over several workers: each goes to the one with the fewest in hand.
--
-- One process plays all parts; between several it is the same, with the workers' addresses in a
-- list. A pool of connections to one address is made with cluster.connect(addr, {shared = false}).
--
-- Prints:
--   job 1: 1 squared is 1 (worker 1)
--   job 2: 2 squared is 4 (worker 2)
--   job 3: 3 squared is 9 (worker 3)
--   job 4: 4 squared is 16 (worker 1)
--   after worker 1 has gone: 5 squared is 25 (worker 2)

local silly = require "silly"
local cluster = require "silly.net.cluster"
local task = require "silly.task"

local SQUARE = 1

local accepted = {} -- the workers' side: which connection is whose
local count = 0

cluster.serve {
	marshal = function(_, cmd, body) return body and cmd, body end,
	unmarshal = function(_, _, data) return data end,
	accept = function(peer)
		count = count + 1
		accepted[peer] = count
	end,
	call = function(peer, _, body)
		local number = tonumber(body)
		return ("%d squared is %d (worker %d)"):format(number, number * number, accepted[peer])
	end,
}

local pool = {} -- {peer, busy} for each worker

-- Calls the least busy worker. A job that was never sent goes to another one. After "timeout" or
-- "closed" it may have run, and only the caller can know whether it may run twice.
local function dispatch(job)
	local best = 1
	for index, worker in ipairs(pool) do
		best = worker.busy < pool[best].busy and index or best
	end
	local worker = assert(pool[best], "no worker is left")
	worker.busy = worker.busy + 1
	local answer, why = cluster.call(worker.peer, SQUARE, tostring(job))
	worker.busy = worker.busy - 1
	if why == "peer closed" then
		table.remove(pool, best)
		return dispatch(job)
	end
	return answer, why
end

task.fork(function()
	local listeners = {}
	for index = 1, 3 do
		listeners[index] = assert(cluster.listen("127.0.0.1:0"))
		pool[index] = { peer = cluster.connect(listeners[index].addr), busy = 0 }
	end

	local this, left, results = task.running(), 4, {}
	for job = 1, 4 do
		task.fork(function()
			results[job] = ("job %d: %s"):format(job, assert(dispatch(job)))
			left = left - 1
			if left == 0 then
				task.wakeup(this)
			end
		end)
	end
	task.wait()
	print(table.concat(results, "\n"))

	cluster.close(pool[1].peer)
	print("after worker 1 has gone: " .. assert(dispatch(5)))
	silly.exit(0) -- closes whatever is open
end)
