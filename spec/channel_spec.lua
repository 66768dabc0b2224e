local task = require "silly.task"
local time = require "silly.time"
local channel = require "silly.sync.channel"

describe("silly.sync.channel", function()
	it("T18: delivers what was pushed before the close, then the reason", async(function()
		local pipe = channel.new()
		assert.is_true(pipe:push(10))
		assert.is_true(pipe:push(11))
		pipe:close()
		assert.same({ false, "channel closed" }, { pipe:push(12) })
		assert.equal(10, (pipe:pop()))
		assert.equal(11, (pipe:pop()))
		local value, why = pipe:pop()
		assert.is_nil(value)
		assert.equal("channel closed", why)
	end))

	it("T19: a second task that pops while one waits is told so", async(function()
		local pipe = channel.new()
		local got
		task.fork(function()
			got = pipe:pop()
		end)
		time.sleep(0)
		local value, why = pipe:pop()
		assert.is_nil(value)
		assert.equal("channel is mpsc", why)
		pipe:push("x")
		time.sleep(0)
		assert.equal("x", got)
	end))

	it("hands a value to the waiter, and no other pop can take it", async(function()
		local pipe = channel.new()
		local got
		task.fork(function()
			got = pipe:pop()
		end)
		time.sleep(0)
		pipe:push("a")
		pipe:push("b")
		assert.equal("b", (pipe:pop()))
		time.sleep(0)
		assert.equal("a", got)
	end))

	it("refuses nil and false", function()
		local pipe = channel.new()
		assert.same({ false, "nil data" }, { pipe:push(nil) })
		assert.same({ false, "nil data" }, { pipe:push(false) })
	end)

	it("wakes its waiter at a close, and a second close replaces the reason", async(function()
		local pipe = channel.new()
		local value, why = "none", nil
		task.fork(function()
			value, why = pipe:pop()
		end)
		time.sleep(0)
		pipe:close("enough")
		time.sleep(0)
		assert.is_nil(value)
		assert.equal("enough", why)
		pipe:close("more than enough")
		assert.same({ false, "more than enough" }, { pipe:push(1) })
	end))

	it("clears what is queued and keeps the waiter", async(function()
		local pipe = channel.new()
		pipe:push(1)
		pipe:clear()
		local got
		task.fork(function()
			got = pipe:pop()
		end)
		time.sleep(0)
		pipe:clear()
		assert.is_nil(got)
		pipe:push(2)
		time.sleep(0)
		assert.equal(2, got)
	end))

	it("keeps the order of a hundred thousand values in a small table", async(function()
		local pipe = channel.new()
		for value = 1, 100000 do
			pipe:push(value)
		end
		for value = 1, 100000 do
			assert(pipe:pop() == value)
		end
	end))

	--- A task that pops once, and what it got.
	local function popper(pipe)
		local got = {}
		local thread = task.fork(function()
			got.value, got.why = pipe:pop()
		end)
		time.sleep(0)
		return thread, got
	end

	it("forgets a waiter that was cancelled: another may wait, and no value is lost", async(function()
		local pipe = channel.new()
		local thread, nothing = popper(pipe)
		assert.is_true(task.cancel(thread))
		local _, got = popper(pipe)
		pipe:push("a")
		pipe:push("b")
		time.sleep(0)
		assert.same({}, nothing)
		assert.same({ value = "a" }, got)
		assert.equal("b", (pipe:pop()))
	end))

	it("takes a value back from a task that was cancelled before it could take it", async(function()
		local pipe = channel.new()
		local thread = popper(pipe)
		for value = 1, 3 do
			pipe:push(value)
		end
		assert.is_true(task.cancel(thread))
		for value = 1, 3 do
			assert.equal(value, (pipe:pop()))
		end
	end))

	it("gives such a value to whoever waits meanwhile", async(function()
		local pipe = channel.new()
		local thread = popper(pipe)
		local got
		local second = task.fork(function()
			got = pipe:pop()
		end)
		task.fork(function()
			assert.is_true(task.cancel(thread))
		end)
		pipe:push("a") -- the first is ready behind both: the second waits when it is cancelled
		time.sleep(0)
		assert.equal("a", got)
		assert.is_nil(task.status(second))
	end))

	it("tells its end to nobody when its waiter was cancelled", async(function()
		local pipe = channel.new()
		local thread, nothing = popper(pipe)
		pipe:close("over")
		assert.is_true(task.cancel(thread))
		assert.same({ nil, "over" }, { pipe:pop() })
		assert.same({}, nothing)
	end))

	it("wants its methods called with a colon", function()
		for _, name in ipairs { "push", "pop", "close", "clear" } do
			local ok, problem = pcall(function()
				local pipe = channel.new()
				pipe[name](1)
				error("not refused")
			end)
			assert.is_false(ok)
			assert.matches("spec/channel_spec.lua:%d+: channel:" .. name .. ": the first argument must be", problem)
		end
	end)
end)
