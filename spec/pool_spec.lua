--- Coroutines are used again: what one task leaves must not reach the next.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local trace = require "silly.trace"
local waitgroup = require "silly.sync.waitgroup"
local log = require "spec.support.log"
local echo = require "spec.support.echo"

--- Leaves at least one coroutine in the pool.
local function fill()
	task.fork(function() end)
	time.sleep(0)
end

describe("a coroutine that is used again", function()
	it("has no trace id, and the status of its new task", async(function()
		local first = task.fork(function()
			trace.spawn()
		end)
		time.sleep(0)
		local id
		local second = task.fork(function()
			id = trace.current()
		end)
		assert.equal(first, second)
		assert.equal("READY", task.status(second))
		time.sleep(0)
		assert.equal(0, id)
		assert.is_nil(task.status(second))
	end))

	it("has no trace id after a timer's callback either", async(function()
		local ids = {}
		for _ = 1, 2 do
			time.after(0, function()
				ids[#ids + 1] = trace.current()
				trace.spawn()
			end)
			time.sleep(5)
		end
		assert.same({ 0, 0 }, ids)
	end))

	it("keeps neither arguments nor values nor functions of ended tasks", async(function()
		fill()
		local weak = setmetatable({}, { __mode = "k" })
		local function fresh()
			local value = {}
			weak[value] = true
			return value
		end
		task.fork(function(argument)
			assert(argument)
		end, fresh())
		local waiter = task.fork(function()
			assert(task.wait())
		end)
		time.sleep(0)
		task.wakeup(waiter, fresh())
		do
			local captured = fresh()
			task.fork(function()
				assert(captured)
			end)
		end
		time.after(0, function(argument)
			assert(argument)
		end, fresh())
		time.cancel(time.after(1000, function() end, fresh()))
		time.sleep(5)
		time.sleep(0)
		collectgarbage()
		collectgarbage()
		assert.is_nil(next(weak))
	end))

	it("does not lose a fork when its last owner has closed or resumed it", async(function()
		for _, misuse in ipairs { coroutine.close or coroutine.resume, coroutine.resume } do
			fill()
			local ended = task.fork(function() end)
			time.sleep(0)
			misuse(ended)
			local ran
			task.fork(function()
				ran = true
			end)
			time.sleep(0)
			assert.is_true(ran)
		end
	end))

	it("calls its function, whoever resumes it", async(function()
		fill()
		local function ran(...)
			return "its own", ...
		end
		local thread = task.fork(ran, print)
		assert.equal("suspended", coroutine.status(thread))
		assert.same({ true, "its own", 1 }, { coroutine.resume(thread, 1) })
		local ending = log.capture()
		time.sleep(0)
		assert.matches("cannot resume dead coroutine", ending())
		assert.is_nil(task.status(thread))
	end))

	it("may run a function of C that waits", async(function()
		local thread = task.fork(coroutine.yield, "given")
		time.sleep(0)
		assert.equal("WAIT", task.status(thread))
		task.wakeup(thread)
		time.sleep(0)
		assert.is_nil(task.status(thread))
	end))

	if coroutine.close and pcall(coroutine.wrap(function()
		return coroutine.close(coroutine.running())
	end)) then
		it("is not used again when its task has closed itself and owes something", async(function()
			local function close_itself()
				coroutine.close((coroutine.running()))
			end
			local node = echo.open(close_itself)
			fill()
			task.fork(node.ask, "x")
			time.sleep(20)
			assert.equal(0, cluster.stats().handlers)
			node.close()
			local group = waitgroup.new()
			group:fork(close_itself)
			group:wait()
		end))
	end

	it("is not used again after an error", async(function()
		fill()
		local ending = log.capture()
		local failed = task.fork(error, "on purpose")
		time.sleep(0)
		assert.matches("on purpose", ending())
		local ran
		local thread = task.fork(function()
			ran = true
		end)
		assert.are_not.equal(failed, thread)
		time.sleep(0)
		assert.is_true(ran)
	end))

	it("is not used again after its task was cancelled, whatever it did", async(function()
		local session
		local ways = {
			function() end, -- cancelled before it begins
			task.wait,
			coroutine.yield,
			function() time.sleep(60000) end,
			function()
				session = time.after(60000, function() end)
				task.wait()
			end,
		}
		for number, way in ipairs(ways) do
			fill()
			local thread = task.fork(way)
			if number > 1 then
				time.sleep(0)
			end
			assert.is_true(task.cancel(thread))
			local seen = {}
			for index = 1, 5 do
				local other = task.fork(function(value)
					time.sleep(0)
					seen[#seen + 1] = value
				end, index)
				assert.are_not.equal(thread, other)
				assert.is_false(task.cancel(thread))
				assert.equal("READY", task.status(other))
			end
			time.sleep(0)
			time.sleep(1)
			table.sort(seen)
			assert.same({ 1, 2, 3, 4, 5 }, seen)
		end
		time.cancel(session) -- it would keep the loop of the specs that follow alive
	end))

	it("is not taken for the one that slept or asked on it before", async(function()
		local node, threads = echo.open(), {}
		for _ = 1, 3 do
			threads[#threads + 1] = task.fork(function()
				time.sleep(0)
				assert(node.ask("x") == "x")
			end)
		end
		while task.status(threads[1]) or task.status(threads[2]) or task.status(threads[3]) do
			time.sleep(0)
		end
		-- The same coroutines wait for a wakeup now, and others use the places of their sleeps and calls.
		local parked, ended = {}, 0
		for index = 1, 3 do
			parked[index] = task.fork(task.wait)
			assert(parked[index] == threads[1] or parked[index] == threads[2] or parked[index] == threads[3])
		end
		for _ = 1, 3 do
			task.fork(function()
				time.sleep(5)
				assert(node.ask("y") == "y")
				ended = ended + 1
			end)
		end
		time.sleep(0)
		for index = 1, 3 do
			assert.is_true(task.cancel(parked[index]))
		end
		while ended < 3 do
			time.sleep(1)
		end
		node.close()
	end))

	it("is one of many: more tasks at once than the pool keeps", async(function()
		local ended = 0
		for _ = 1, 3000 do
			task.fork(function()
				time.sleep(1)
				ended = ended + 1
			end)
		end
		while ended < 3000 do
			time.sleep(1)
		end
	end))

	it("collects a task that waits and that nobody can wake", async(function()
		local weak = setmetatable({}, { __mode = "k" })
		weak[task.fork(function()
			task.wait()
		end)] = true
		time.sleep(0)
		collectgarbage()
		collectgarbage()
		assert.is_nil(next(weak))
	end))
end)
