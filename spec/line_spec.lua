--- What mutexes, channels and wait groups share.

local task = require "silly.task"
local time = require "silly.time"
local scheduler = require "silly.internal.scheduler"
local line = require "silly.internal.line"
local queue = require "silly.internal.queue"

describe("silly.internal.line", function()
	--- So many tasks that stand in a line.
	local function stand(row, count, got)
		local threads = {}
		for number = 1, count do
			threads[number] = task.fork(function()
				local value = row:wait(scheduler.task("a test"))
				if got then
					got[#got + 1] = { number, value }
				end
			end)
		end
		time.sleep(0)
		return threads
	end

	it("hands things on in the order in which tasks came", async(function()
		local row, got = line.new("test"), {}
		local threads = stand(row, 3, got)
		assert.equal(threads[1], row:first())
		assert.equal(threads[1], row:hand("a"))
		assert.equal(threads[2], row:hand(false))
		assert.equal(threads[3], row:hand("c"))
		assert.is_nil(row:hand("nobody"))
		time.sleep(0)
		assert.same({ { 1, "a" }, { 2, false }, { 3, "c" } }, got)
	end))

	it("does not grow by tasks that were cancelled", async(function()
		local row = line.new("test")
		local first = stand(row, 1)[1]
		for _ = 1, 50 do
			for _, thread in ipairs(stand(row, 20)) do
				task.cancel(thread)
			end
			assert(row.tasks:len() <= 3, row.tasks:len())
		end
		assert.equal(first, row:hand("x"))
		assert.is_nil(row:first())
		assert.equal(0, row.tasks:len())
	end))

	it("costs a constant for each of many that are cancelled", async(function()
		local row, looked = line.new("test"), 0
		local threads = stand(row, 4000)
		local retain = row.tasks.retain
		row.tasks.retain = function(self, keep)
			return retain(self, function(thread)
				looked = looked + 1
				return keep(thread)
			end)
		end
		for _, thread in ipairs(threads) do
			task.cancel(thread)
		end
		assert.equal(0, row.tasks:len())
		assert.is_true(looked <= 2 * #threads)
	end))

	it("does not grow by coroutines that are closed behind its back", async(function()
		local ends = coroutine.close or coroutine.resume -- resumed from here, it fails
		local row, longest = line.new("test"), 0
		for _ = 1, 200 do
			ends(stand(row, 1)[1])
			longest = math.max(longest, row.tasks:len())
		end
		assert.is_true(longest <= 17)
		local threads = stand(row, 1)
		assert.equal(threads[1], row:hand("x"))
		time.sleep(0)
	end))

	it("takes back what a task was handed that ends before it could take it", async(function()
		local back = {}
		local row = line.new("test", "owner", function(owner, value)
			back[#back + 1] = { owner, value }
		end)
		local threads = stand(row, 2)
		row:hand("a")
		task.cancel(threads[1])
		task.cancel(threads[2])
		assert.same({ { "owner", "a" } }, back)
	end))

	it("is collected with tasks that nobody else can reach", async(function()
		local weak = setmetatable({}, { __mode = "k" })
		do
			local row = line.new("test")
			weak[row], weak[stand(row, 1)[1]] = true, true
		end
		time.sleep(0)
		collectgarbage()
		collectgarbage()
		assert.is_nil(next(weak))
	end))
end)

describe("silly.internal.queue", function()
	local function contents(values)
		local list = {}
		for value in function() return values:pop() end do
			list[#list + 1] = value
		end
		return list
	end

	it("is first in, first out", function()
		local values = queue.new()
		for value = 1, 5 do
			values:push(value)
		end
		assert.equal(5, values:len())
		assert.equal(1, values:first_value())
		assert.same({ 1, 2, 3, 4, 5 }, contents(values))
		assert.equal(0, values:len())
		assert.is_nil(values:first_value())
	end)

	it("takes values back at its head, also when it is empty", function()
		local values = queue.new()
		values:unpop("b")
		values:unpop("a")
		values:push("c")
		assert.equal(3, values:len())
		assert.same({ "a", "b", "c" }, contents(values))
		values:push("d")
		assert.same({ "d" }, contents(values))
	end)

	it("keeps what it is asked to, in order", function()
		local values = queue.new()
		for value = 0, 9 do
			values:push(value)
		end
		values:pop()
		values:retain(function(value)
			return value % 3 == 0
		end)
		assert.equal(3, values:len())
		values:push(10)
		assert.same({ 3, 6, 9, 10 }, contents(values))
		values:push(1)
		values:retain(function()
			return false
		end)
		assert.equal(0, values:len())
		assert.same({}, contents(values))
	end)
end)
