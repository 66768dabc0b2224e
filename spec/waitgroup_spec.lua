local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local waitgroup = require "silly.sync.waitgroup"

describe("silly.sync.waitgroup", function()
	-- Tasks fail on purpose here.
	before_each(log.capture)
	after_each(log.release)

	it("T14: waits for a task that fails and for one that forks another", async(function()
		local group = waitgroup.new()
		local ended = {}
		group:fork(function()
			error("boom")
		end)
		group:fork(function()
			time.sleep(1)
			group:fork(function()
				time.sleep(1)
				ended[#ended + 1] = "nested"
			end)
			ended[#ended + 1] = "outer"
		end)
		assert.equal(2, group.count)
		group:wait()
		assert.same({ "outer", "nested" }, ended)
		assert.equal(0, group.count)
	end))

	it("does not wait when nothing runs", async(function()
		waitgroup.new():wait()
	end))

	it("wakes every waiter and can be used again", async(function()
		local group = waitgroup.new()
		for _ = 1, 2 do
			local woken = 0
			group:fork(function()
				time.sleep(1)
			end)
			for _ = 1, 3 do
				task.fork(function()
					group:wait()
					woken = woken + 1
				end)
			end
			group:wait()
			time.sleep(0)
			assert.equal(3, woken)
		end
	end))

	it("counts a member that was cancelled as one that has ended", async(function()
		local group = waitgroup.new()
		local parked = group:fork(task.wait)
		time.sleep(0)
		local unborn = group:fork(error)
		assert.equal(2, group.count)
		assert.is_true(task.cancel(unborn))
		assert.is_false(task.cancel(unborn))
		assert.equal(1, group.count)
		task.fork(task.cancel, parked)
		group:wait()
		assert.equal(0, group.count)
	end))

	it("passes over a waiter that was cancelled, before and after the end of the group", async(function()
		local group = waitgroup.new()
		local member, woken, threads = group:fork(task.wait), {}, {}
		for number = 1, 4 do
			threads[number] = task.fork(function()
				group:wait()
				woken[#woken + 1] = number
			end)
		end
		time.sleep(0)
		assert.is_true(task.cancel(threads[1]))
		task.wakeup(member)
		task.fork(task.cancel, threads[3])
		-- The member ends, the waiters are ready behind the task that cancels one of them.
		time.sleep(0)
		assert.same({ 2, 4 }, woken)
	end))

	it("gives its functions no argument", async(function()
		local group = waitgroup.new()
		local count
		group:fork(function(...)
			count = select("#", ...)
		end)
		group:wait()
		assert.equal(0, count)
	end))

	it("refuses what is no function", function()
		assert.error_matches(function()
			waitgroup.new():fork(1)
		end, "waitgroup:fork: the first argument must be a function, got number 1")
	end)

	it("wants its methods called with a colon", function()
		assert.error_matches(function()
			waitgroup.new().fork(print)
		end, "waitgroup:fork: the first argument must be a wait group, as in wg:fork%(fn%), got function")
		assert.error_matches(function()
			waitgroup.new().wait()
		end, "waitgroup:wait: the first argument must be a wait group")
	end)
end)
