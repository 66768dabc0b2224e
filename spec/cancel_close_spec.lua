--- What becomes of variables to be closed when a task ends without returning.

local task = require "silly.task"
local time = require "silly.time"
local cluster = require "silly.net.cluster"
local node = require "spec.support.node"
local log = require "spec.support.log"

local compile = loadstring or load -- luacheck: ignore
local closes = compile "local x <close> = nil" ~= nil

if closes then
	describe("task.cancel and variables to be closed", function()
		before_each(node.before)
		after_each(node.after)

		--- A task that waits with a variable whose closing calls `on_close`.
		local function guarded(wait, on_close)
			local thread = task.fork(compile [[
				local wait, on_close = (...)[1], (...)[2]
				local guard <close> = setmetatable({}, { __close = on_close })
				wait()
			]], { wait, on_close })
			task.fork(task.wakeup, task.running())
			task.wait()
			return thread
		end

		it("closes them before it returns, as the ended task", async(function()
			local order, seen = {}, {}
			local thread
			thread = guarded(task.wait, function()
				seen = { task.running(), task.status(thread) or "ended", task.cancel(thread) }
				order[#order + 1] = "closed"
			end)
			assert.is_true(task.cancel(thread))
			order[#order + 1] = "returned"
			assert.same({ "closed", "returned" }, order)
			assert.same({ thread, "ended", false }, seen)
			assert.is_true(task.running() == coroutine.running())
			time.sleep(0)
		end))

		it("logs an error in there, and one for waiting in there, which leaves nothing behind", async(function()
			local failing = guarded(task.wait, function() error("oh dear") end)
			assert.is_true(task.cancel(failing))
			assert.matches("E %[silly%] closing the ended task: [^\n]*oh dear", log.text())
			local went_on = false
			for number, wait in ipairs {
				function() time.sleep(60000) end,
				function() cluster.connect("127.0.0.1:1", { shared = false }) end,
				task.wait,
			} do
				local thread = guarded(task.wait, function()
					wait()
					went_on = true
				end)
				assert.is_true(task.cancel(thread))
				local _, count = log.text():gsub(
					"%S+ cannot wait here: the task has ended, and its variables are being closed", "")
				assert.equal(number, count)
			end
			assert.is_false(went_on)
		end))

		it("says the same when it is an error that ends the task", async(function()
			task.fork(compile [[
				local wait = ...
				local guard <close> = setmetatable({}, { __close = wait })
				error "first"
			]], function() time.sleep(60000) end)
			time.sleep(0)
			assert.matches("task failed: [^\n]*first", log.text())
			assert.matches("cannot wait here: the task has ended", log.text())
		end))

		it("may cancel others in there, but not the one that cancels", async(function()
			local other = guarded(task.wait, function() end)
			local this, refusal = task.running(), nil
			local thread = guarded(task.wait, function()
				assert(task.cancel(other))
				refusal = select(2, pcall(task.cancel, this))
			end)
			assert.is_true(task.cancel(thread))
			assert.is_nil(task.status(other))
			assert.matches("it is resuming another coroutine", refusal)
			time.sleep(0)
		end))
	end)
end
