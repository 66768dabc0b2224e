--- Each number of cluster.stats, moved by what it counts.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

describe("cluster.stats", function()
	-- Connections that other specs have closed may still be there.
	before_each(function()
		node.before()
		async(function()
			node.eventually(function()
				local stats = cluster.stats()
				return stats.connections_in + stats.connections_out + stats.listeners == 0
			end, "no connections")
		end)()
	end)
	after_each(node.after)

	--- Runs a function, and waits until the numbers have moved by just so much.
	local function moves(by, fn)
		local before = cluster.stats()
		local function difference()
			local after, moved = cluster.stats(), {}
			for name, value in pairs(by) do
				assert.is_number(after[name], name)
				moved[name] = after[name] - before[name]
				if moved[name] ~= value then
					return moved
				end
			end
		end
		fn()
		if not raw.poll(function()
			return difference() == nil
		end, 3000) then
			assert.same(by, difference())
		end
	end

	it("counts connections by direction, and listeners", async(function()
		local listener, client, peer
		moves({ listeners = 1, connections_in = 0, connections_out = 0 }, function()
			listener = node.listen()
		end)
		moves({ accepts = 1, connections_in = 1, connects = 0, connections_out = 0 }, function()
			client = raw.connect(listener.addr)
		end)
		moves({ accepts = 1, connections_in = 1, connects = 1, connections_out = 1, reconnects = 0 }, function()
			peer = node.connect(listener.addr)
		end)
		moves({ accepts = 0, connections_in = -1, connections_out = 0 }, function()
			client:close()
		end)
		moves({ connections_in = -1, connections_out = -1, connects = 0 }, function()
			cluster.close(peer)
		end)
		moves({ listeners = -1 }, function()
			cluster.close(listener)
		end)
	end))

	it("counts reconnects", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local first = server:accept()
		moves({ connections_out = -1 }, function()
			first:close()
		end)
		moves({ reconnects = 1, connects = 1, connections_out = 1 }, function()
			assert.is_true(cluster.send(peer, 1, "x"))
			server:accept()
		end)
	end))

	it("counts messages and bytes each way", async(function()
		local listener = node.listen()
		local client = raw.connect(listener.addr)
		local request, response = wire.request(1, 1, "hi"), wire.response(1, "r:hi")
		moves({
			requests_received = 1, responses_sent = 1, requests_sent = 0, responses_received = 0,
			bytes_received = #request, bytes_sent = #response,
		}, function()
			client:send(request)
			client:frame()
		end)
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local other = server:accept()
		moves({
			requests_sent = 2, responses_received = 1, strays = 0, bytes_sent = 2 * #wire.request(0, 1, "ask"),
			bytes_received = #wire.response(0, "told"),
		}, function()
			cluster.send(peer, 1, "ask")
			task.fork(function()
				cluster.call(peer, 1, "ask")
			end)
			other:frame()
			other:send(wire.response(other:frame().session, "told"))
		end)
		-- The sums stay when their connections go.
		moves({ bytes_sent = 0, bytes_received = 0, connections_in = -1, connections_out = -1 }, function()
			client:close()
			other:close()
		end)
	end))

	it("counts calls in flight, handlers, and timeouts", async(function()
		local parked
		node.serve {
			call = function()
				parked = task.running()
				task.wait()
				return "done"
			end,
		}
		local peer = node.pair()
		moves({ calls_in_flight = 1, handlers = 1, timeouts = 0 }, function()
			task.fork(function()
				cluster.call(peer, 1, "x", 5000)
			end)
		end)
		moves({ calls_in_flight = -1, handlers = -1, timeouts = 0 }, function()
			task.wakeup(parked)
		end)
		moves({ calls_in_flight = 0, handlers = 1, timeouts = 1 }, function()
			assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "x", 20) })
		end)
		-- The late answer is a stray.
		moves({ strays = 1, handlers = -1, responses_sent = 1, responses_received = 0 }, function()
			task.wakeup(parked)
		end)
	end))

	it("counts answers to sends and made-up ones as strays", async(function()
		local peer = node.pair()
		moves({ strays = 1, responses_received = 0 }, function()
			assert.is_true(cluster.send(peer, 1, "x"))
		end)
		local client = raw.connect(node.listen().addr)
		moves({ strays = 1 }, function()
			client:send(wire.response(12345, "x"))
		end)
	end))

	it("counts answers whose connection has gone as drops", async(function()
		local parked
		node.serve {
			call = function()
				parked = task.running()
				task.wait()
				return "too late"
			end,
		}
		local client = raw.connect(node.listen().addr)
		moves({ handlers = 1 }, function()
			client:send(wire.request(1, 1, "x"))
		end)
		moves({ connections_in = -1, handlers = 0 }, function()
			client:close()
		end)
		moves({ drops = 1, handlers = -1, responses_sent = 0 }, function()
			task.wakeup(parked)
		end)
	end))

	it("counts refused frames", async(function()
		local client = raw.connect(node.listen().addr)
		node.eventually(function()
			return cluster.stats().connections_in > 0
		end, "the accept")
		moves({ refused_frames = 1, overloads = 0, connections_in = -1 }, function()
			client:send("\0\1x")
			assert.is_true(client:has_ended())
		end)
	end))

	it("counts bytes queued, and peers that read no answers as overloads", async(function()
		local big = ("x"):rep(60000)
		node.serve {
			call = function()
				return big
			end,
		}
		local client = raw.connect(node.listen().addr)
		moves({ overloads = 0 }, function()
			client:send(wire.requests(300))
			node.eventually(function()
				return cluster.stats().bytes_queued > 1000000
			end, "bytes queued")
		end)
		moves({ overloads = 1, refused_frames = 0, connections_in = -1 }, function()
			for _ = 1, 4 do
				client:send(wire.requests(300))
			end
		end)
		assert.equal(0, cluster.stats().bytes_queued)
	end))

	it("gives integers under its documented names, and needs neither serve nor a task", function()
		local names = {}
		for name, value in pairs(cluster.stats()) do
			names[#names + 1] = name
			assert.equal(math.floor(value), value)
		end
		assert.equal(23, #names)
	end)
end)
