local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local mutex = require "silly.sync.mutex"

describe("silly.sync.mutex", function()
	-- Tasks fail on purpose here.
	before_each(log.capture)
	after_each(log.release)

	it("T15: is handed on in the order in which tasks came", async(function()
		local lock = mutex.new()
		local order = {}
		local held = lock:lock("key")
		for number = 1, 4 do
			task.fork(function()
				local guard = lock:lock("key")
				order[#order + 1] = number
				time.sleep(1)
				guard:unlock()
			end)
		end
		time.sleep(0)
		held:unlock()
		task.fork(function()
			local guard = lock:lock("key")
			order[#order + 1] = 5
			guard:unlock()
		end)
		while #order < 5 do
			time.sleep(1)
		end
		assert.same({ 1, 2, 3, 4, 5 }, order)
	end))

	it("T16: whoever locks again at once queues behind those that waited", async(function()
		local lock = mutex.new()
		local order = {}
		local guard = lock:lock("key")
		task.fork(function()
			local mine = lock:lock("key")
			order[#order + 1] = "waiter"
			mine:unlock()
		end)
		time.sleep(0)
		guard:unlock()
		guard = lock:lock("key")
		order[#order + 1] = "again"
		guard:unlock()
		assert.same({ "waiter", "again" }, order)
	end))

	it("T17: is reentrant, and free once every guard is released", async(function()
		local lock = mutex.new()
		local first, second = lock:lock("key"), lock:lock("key")
		local got = false
		task.fork(function()
			lock:lock("key"):unlock()
			got = true
		end)
		first:unlock()
		first:unlock()
		time.sleep(0)
		assert.is_false(got)
		second:unlock()
		time.sleep(0)
		assert.is_true(got)
	end))

	it("T7: is freed when a task dies with a guard to be closed", async(function()
		if _VERSION < "Lua 5.4" then
			return -- no to-be-closed variables: see the next one
		end
		local lock = mutex.new()
		local body = load([[
			local lock = ...
			local guard <close> = lock:lock("key")
			error("boom")
		]])
		task.fork(body, lock)
		time.sleep(0)
		lock:lock("key"):unlock()
	end))

	it("is freed by the collector when a task dies with a plain guard", async(function()
		local lock = mutex.new()
		task.fork(function()
			local guard = lock:lock("key")
			error("boom " .. tostring(guard))
		end)
		time.sleep(0)
		local got = false
		task.fork(function()
			lock:lock("key"):unlock()
			got = true
		end)
		time.sleep(0)
		collectgarbage()
		collectgarbage()
		time.sleep(0)
		assert.is_true(got)
	end))

	it("keeps keys, and mutexes, apart", async(function()
		local one, other = mutex.new(), mutex.new()
		local guards = { one:lock("a"), one:lock("b"), other:lock("a") }
		assert.equal(3, #guards)
		for _, guard in ipairs(guards) do
			guard:unlock()
		end
		assert.is_nil(next(one.locks))
	end))

	it("refuses nil as a key", async(function()
		assert.error_matches(function()
			mutex.new():lock(nil)
		end, "mutex:lock: the key must not be nil")
	end))
end)
