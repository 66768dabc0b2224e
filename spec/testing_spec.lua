--- silly.testing: bodies run as tasks, their errors with their own lines, and nothing stays open.

local cluster = require "silly.net.cluster"
local silly = require "silly"
local task = require "silly.task"
local tcp = require "silly.net.tcp"
local testing = require "silly.testing"
local time = require "silly.time"
local plain = require "spec.support.plain"
local process = require "spec.support.process"

local function failure(body, options)
	local ok, problem = pcall(testing.run, body, options)
	assert.is_false(ok)
	return problem
end

--- An echo, and what it tells of a connection that ends.
local function serve(close)
	plain.serve {
		call = function(_, _, body)
			return body
		end,
		close = close,
	}
end

local function fails_somewhere_below()
	time.sleep(1)
	error("boom")
end

describe("silly.testing", function()
	after_each(testing.close)

	it("runs a body that waits, to its end", function()
		local steps = {}
		testing.run(function()
			steps[#steps + 1] = task.status(task.running())
			time.sleep(1)
			steps[#steps + 1] = "end"
		end)
		assert.same({ "RUN", "end" }, steps)
	end)

	it("makes a function of a body, which can be called again", function()
		local calls = 0
		local test = testing.task(function()
			time.sleep(0)
			calls = calls + 1
		end)
		assert.equal(0, calls)
		test()
		test()
		assert.equal(2, calls)
	end)

	it("raises an error with the traceback of the task", function()
		local problem = failure(function()
			fails_somewhere_below()
		end)
		assert.truthy(problem:find("^[^\n]*testing_spec%.lua:%d+: boom\n"), problem)
		assert.truthy(problem:find("fails_somewhere_below", 1, true), problem)
	end)

	it("raises the objects of a test runner as they are", function()
		local object = {}
		assert.equal(object, failure(function()
			time.sleep(1)
			error(object)
		end))
	end)

	it("keeps a failure out of the log, and the next task's in it", function()
		local out, err = process.run([[
			local testing = require "silly.testing"
			local task = require "silly.task"
			local time = require "silly.time"
			print(pcall(testing.run, function() error("told") end))
			testing.run(function()
				task.fork(function() error("logged") end)
				time.sleep(0)
			end)
		]])
		assert.truthy(out:find("told", 1, true), out)
		assert.falsy(err:find("told", 1, true), err)
		assert.truthy(err:find("%[silly%] task failed: [^\n]*logged"), err)
	end)

	it("ends a body that hangs, and tells where it waits", function()
		local began = time.monotonic()
		local problem = failure(function()
			task.wait() -- for ever
		end, { limit = 50 })
		assert.truthy(time.monotonic() - began >= 50)
		assert.truthy(problem:find("has not ended within 50 ms", 1, true), problem)
		assert.truthy(problem:find("testing_spec", 1, true), problem)
		assert.same({}, task.inspect())
	end)

	it("fails a body whose task is cancelled", function()
		local problem = failure(function()
			local this = task.running()
			task.fork(function()
				task.cancel(this)
			end)
			task.wait()
		end)
		assert.truthy(problem:find("cancelled", 1, true), problem)
	end)

	it("closes and cancels what a body has opened, and calls nobody back for it", function()
		local called = {}
		local function open_all()
			serve(function()
				called[#called + 1] = "close"
			end)
			local listener = assert(cluster.listen("127.0.0.1:0"))
			local peer = cluster.connect(listener.addr)
			assert(cluster.call(peer, 1, "hello"))
			local stream = assert(tcp.listen { addr = "127.0.0.1:0", accept = function(conn)
				conn:read(1)
				called[#called + 1] = "accept"
			end })
			assert(tcp.connect(stream.addr))
			time.after(20, function()
				called[#called + 1] = "timer"
			end)
			task.fork(function()
				time.sleep(20)
				called[#called + 1] = "task"
			end)
			time.sleep(1)
		end
		for _, ending in ipairs { function() end, error } do
			pcall(testing.run, function()
				open_all()
				ending("a test that fails leaves nothing behind, either")
			end)
			assert.same({}, task.inspect())
			local stats = cluster.stats()
			assert.equal(0, stats.listeners)
			-- Both ends of each connection still tell each other that it is over; then nothing is left.
			local deadline = time.monotonic() + 4000
			while silly.step(20) do
				assert.truthy(time.monotonic() < deadline, "something is open")
			end
		end
		assert.same({}, called)
	end)

	it("closes a connection that is coming in as the body ends", function()
		for turns = 0, 5 do
			testing.run(function()
				serve()
				local listener = assert(cluster.listen("127.0.0.1:0"))
				task.fork(function()
					cluster.connect(listener.addr, { shared = false })
				end)
				for _ = 1, turns do
					time.sleep(0)
				end
			end)
			local deadline = time.monotonic() + 4000
			while silly.step(20) do
				assert.truthy(time.monotonic() < deadline, "something is open")
			end
		end
	end)

	it("leaves alone what was open before", function()
		local listener, peer
		testing.run(function()
			serve()
			listener = assert(cluster.listen("127.0.0.1:0"))
			peer = cluster.connect(listener.addr)
			assert(cluster.call(peer, 1, "hello"))
		end, { keep = true })
		for _ = 1, 2 do
			testing.run(function()
				assert(cluster.call(peer, 1, "hello"))
				assert(cluster.call(cluster.connect(listener.addr, { shared = false }), 1, "hello"))
			end)
		end
		assert.equal(1, cluster.stats().listeners)
		assert.truthy(peer.fd)
		testing.close()
		assert.equal(0, cluster.stats().listeners)
		assert.is_nil(peer.fd)
	end)

	it("says what is wrong with its arguments", function()
		assert.error_matches(function()
			testing.task({})
		end, "testing.task: the test must be a function, got table")
		assert.error_matches(function()
			testing.run(function() end, { limt = 1 })
		end, "unknown option 'limt' %(did you mean 'limit'%?%)")
		assert.error_matches(function()
			testing.run(function() end, { limit = 0 })
		end, "option 'limit' must be between 1 and 3600000, got number 0")
	end)

	it("refuses to begin inside a loop that runs", function()
		local problem = failure(function()
			testing.run(function() end)
		end)
		assert.truthy(problem:find("testing.run: the loop is already running", 1, true), problem)
		problem = failure(testing.close)
		assert.truthy(problem:find("testing.close: not in a task", 1, true), problem)
	end)

	it("works in a script without a test runner, which ends behind it", function()
		local out, err, status = process.run([[
			local testing = require "silly.testing"
			local cluster = require "silly.net.cluster"
			testing.run(function()
				cluster.serve {
					marshal = function(_, cmd, body) return cmd, body end,
					unmarshal = function(_, _, data) return data end,
					call = function(_, _, body) return body end,
				}
				local listener = assert(cluster.listen("127.0.0.1:0"))
				print((cluster.call(cluster.connect(listener.addr), 1, "hello")))
			end)
			print("end")
		]])
		assert.same({ "hello\nend\n", "", 0 }, { out, err, status })
	end)
end)
