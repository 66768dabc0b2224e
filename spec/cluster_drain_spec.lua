--- Leaving in order: what was begun is finished, nothing new is begun, then all is closed.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

describe("cluster.drain", function()
	before_each(node.before)
	after_each(node.after)

	--- A node whose handler waits until it is let go.
	local function slow_node()
		local slow = { begun = 0 }
		node.serve {
			call = function(_, _, body)
				slow.begun = slow.begun + 1
				slow[#slow + 1] = task.running()
				task.wait()
				return "r:" .. body
			end,
		}
		slow.listener = node.listen()
		--- A client whose request is in a handler.
		slow.asked = function()
			local client = raw.connect(slow.listener.addr)
			client:send(wire.request(1, 7, "a"))
			node.eventually(function()
				return slow.begun == 1
			end, "the handler")
			return client
		end
		slow.go = function()
			for _, thread in ipairs(slow) do
				task.wakeup(thread)
			end
		end
		return slow
	end

	it("lets handlers finish and their answers leave, then closes", async(function()
		local slow = slow_node()
		local client = raw.connect(slow.listener.addr)
		client:send(wire.request(1, 7, "a") .. wire.request(2, 7, "b"))
		node.eventually(function()
			return slow.begun == 2
		end, "both handlers")
		local ok, err
		local drained = false
		task.fork(function()
			ok, err = cluster.drain(5000)
			drained = true
		end)
		time.sleep(0)
		assert.is_false(drained)
		assert.is_nil(slow.listener.fd)
		assert.is_false(pcall(raw.connect, slow.listener.addr)) -- nobody listens any more
		slow.go()
		assert.equal("r:a", client:frame().data)
		assert.equal("r:b", client:frame().data)
		assert.is_true(client:has_ended())
		node.eventually(function()
			return drained
		end, "the end of the drain")
		assert.is_true(ok)
		assert.is_nil(err)
	end))

	it("does not handle what comes meanwhile, and tells those callers by closing", async(function()
		local slow = slow_node()
		local client, other = raw.connect(slow.listener.addr), raw.connect(slow.listener.addr)
		client:send(wire.request(1, 7, "a"))
		node.eventually(function()
			return slow.begun == 1
		end, "the handler")
		local drain = task.fork(function()
			cluster.drain(5000)
		end)
		time.sleep(0)
		local before = cluster.stats()
		client:send(wire.request(2, 7, "b"))
		other:send(wire.request(1, 7, "c"))
		node.eventually(function()
			return cluster.stats().drops == before.drops + 2
		end, "the dropped requests")
		assert.equal(1, slow.begun)
		slow.go()
		assert.equal("r:a", client:frame().data)
		assert.is_true(client:has_ended())
		assert.is_true(other:has_ended())
		assert.equal("", other.arrived)
		assert.equal(1, slow.begun)
		assert.is_nil(task.status(drain))
	end))

	it("lets a handler call others before it ends", async(function()
		local answered
		node.serve {
			call = function(peer, cmd, body)
				if cmd == 1 then
					return "r:" .. cluster.call(peer, 2, body) -- over its own connection
				end
				return body
			end,
		}
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(5, 1, "x"))
		local asked = client:frame()
		task.fork(function()
			answered = { cluster.drain(5000) }
		end)
		time.sleep(0)
		client:send(wire.response(asked.session, "y"))
		assert.equal("r:y", client:frame().data)
		assert.is_true(client:has_ended())
		node.eventually(function()
			return answered
		end, "the end of the drain")
		assert.same({ true }, answered)
	end))

	it("in a handler does not wait for that one, but for the others that do not drain", async(function()
		local other
		local drained = {}
		node.serve {
			call = function(_, cmd, body)
				if cmd == 1 then
					local ok, err = cluster.drain(60000)
					drained[#drained + 1] = ok or err
				else
					other = task.running()
					task.wait()
				end
				return "r:" .. body
			end,
		}
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(1, 2, "a") .. wire.request(2, 1, "b") .. wire.request(3, 1, "c"))
		node.eventually(function()
			return cluster.stats().handlers == 3
		end, "the handlers")
		time.sleep(20)
		assert.same({}, drained)
		task.wakeup(other)
		assert.equal("r:a", client:frame().data)
		assert.is_true(client:has_ended())
		node.eventually(function()
			return #drained == 2
		end, "the end of both drains")
		assert.same({ true, true }, drained)
		assert.equal(0, cluster.stats().handlers)
		node.serve()
		assert.equal("r:x", (cluster.call(node.pair(), 1, "x")))
	end))

	it("waits also for a handler whose connection is gone", async(function()
		local slow = slow_node()
		local client = slow.asked()
		client:close()
		local ok
		task.fork(function()
			ok = cluster.drain(5000)
		end)
		time.sleep(30)
		assert.is_nil(ok)
		slow.go()
		node.eventually(function()
			return ok
		end, "the end of the drain")
	end))

	it("closes all the same when its time is up", async(function()
		local slow = slow_node()
		local client = slow.asked()
		local took, ok, err = node.timed(cluster.drain, 50)
		assert.is_nil(ok)
		assert.equal("timeout", err)
		assert.is_true(took >= 50 and took < 500)
		assert.is_true(client:has_ended())
		slow.go()
	end))

	it("waits until a reader has taken its answers", async(function()
		local big = ("x"):rep(60000)
		node.serve {
			call = function()
				return big
			end,
		}
		local client = raw.connect(node.listen().addr)
		local before = cluster.stats()
		client:send(wire.requests(300))
		node.eventually(function()
			local stats = cluster.stats()
			return stats.responses_sent == before.responses_sent + 300 and stats.bytes_queued > 0
		end, "a full connection")
		local ok
		task.fork(function()
			ok = cluster.drain(10000)
		end)
		time.sleep(20)
		assert.is_nil(ok)
		assert.equal(300, #client:frames(300))
		node.eventually(function()
			return ok
		end, "the end of the drain")
	end))

	it("is at once with nothing to wait for, and the node works again afterwards", async(function()
		assert.is_true(cluster.drain(1000))
		local peer = node.pair()
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.is_true(cluster.drain(1000))
		assert.same({ nil, "peer closed" }, { cluster.call(peer, 1, "x") })
		assert.equal("r:x", (cluster.call(node.pair(), 1, "x")))
	end))

	it("may run twice at once", async(function()
		local slow = slow_node()
		slow.asked()
		local ended = {}
		for index, limit in ipairs { 5000, 40 } do
			task.fork(function()
				ended[index] = { cluster.drain(limit) }
			end)
		end
		node.eventually(function()
			return ended[2]
		end, "the shorter one")
		assert.same({ nil, "timeout" }, { ended[2][1], ended[2][2] })
		slow.go()
		node.eventually(function()
			return ended[1]
		end, "the longer one")
		assert.is_true(ended[1][1])
		node.serve()
		assert.equal("r:x", (cluster.call(node.pair(), 1, "x")))
	end))

	it("must run in a task, and wants a time", function()
		assert.error_matches(function()
			cluster.drain(5)
		end, "cluster.drain must run in a task")
		async(function()
			assert.error_matches(function()
				cluster.drain(-1)
			end, "cluster.drain: the timeout must be between 0 and %d+, got number %-1")
		end)()
	end)
end)
