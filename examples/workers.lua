-- A pool of workers: jobs come through a channel, a mutex keeps two workers off one account, and a
-- wait group knows when all is done. A worker that hangs is cancelled.
--
-- Prints:
--   ann has 30, ben has 12
--   jobs done: 6, the hanging one: ended
--   nobody waits any more: true

local channel = require "silly.sync.channel"
local mutex = require "silly.sync.mutex"
local task = require "silly.task"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"

local jobs, locks, workers = channel.new(), mutex.new(), waitgroup.new()
local balance, done = { ann = 0, ben = 0 }, 0

-- A channel has one reader: it hands each job to a worker of its own.
local function work(job)
	-- Released by unlock; with Lua 5.4 `local guard <close> = locks:lock(job.name)` does it too, also
	-- when the task fails.
	local guard = locks:lock(job.name)
	local before = balance[job.name]
	time.sleep(1) -- others run meanwhile, but none with this account
	balance[job.name] = before + job.amount
	done = done + 1
	guard:unlock()
end

task.fork(function()
	for _, amount in ipairs { 10, 20 } do
		jobs:push { name = "ann", amount = amount }
	end
	for amount = 1, 4 do
		jobs:push { name = "ben", amount = amount + 0.5 }
	end
	jobs:close()

	for job in function() return (jobs:pop()) end do -- nil once it is closed and empty
		workers:fork(function()
			work(job)
		end)
	end
	local hanging = workers:fork(function()
		task.wait() -- for something that never comes
	end)
	time.after(20, function()
		task.cancel(hanging)
	end)
	workers:wait()
	print(("ann has %d, ben has %d"):format(balance.ann, balance.ben))
	print(("jobs done: %d, the hanging one: %s"):format(done, task.status(hanging) or "ended"))
	print("nobody waits any more: " .. tostring(workers.count == 0))
end)
