--- The handles of the cluster that scripts hold, and what each stands for natively.

local core = require "silly.internal.core"
local credentials = require "silly.internal.credentials"
local edition = require "silly.internal.edition"
local open = require "silly.internal.open"

if core.loaded.peers then
	return core.loaded.peers --[[@as silly.peers]]
end

--- An id that nothing has.
local NOBODY = 0

-- Where a handle keeps its native id, the address it dials, the other end's, what it will be made of, and
-- under which key it is shared, whatever a script does to its fields: keys no script can collide with.
-- Accepted peers have no address to dial.
local PEER, ADDRESS, REMOTE, LATER, KEY = {}, {}, {}, {}, {}

---@class silly.peers
local peers = {
	--- the key of a handle's native id; a table that has none is no handle
	ID = PEER,
}
core.loaded.peers = peers

--- Peers by native slot, which is used again.
---@type table<integer, silly.net.cluster.peer>
local by_slot = {}

--- The same for others to look at: a function in between would be felt in every message.
peers.by_slot = by_slot

--- How a connection is made: the generation of the wire that it speaks, and its TLS, if any.
---@alias silly.peers.terms {wire: integer, tls: silly.credentials.held?}

--- Shared handles by what tells them from each other, until they are closed.
---@type table<string, silly.net.cluster.peer>
local shared = {}

--- What tells handles from each other: the address and the terms.
---@param address string
---@param terms silly.peers.terms
---@return string
local function key_of(address, terms)
	return ("%s\0%d\0%s"):format(address, terms.wire, terms.tls and terms.tls.key or "")
end

--- The shared handle of an address, if there is one.
---@param address string
---@param terms silly.peers.terms
---@return silly.net.cluster.peer?
function peers.shared(address, terms)
	return shared[key_of(address, terms)]
end

--- The other end, for the log: its address, or the one that is dialled.
---@return string
function peers.name(peer)
	return peer[REMOTE] or peer[ADDRESS] or "?"
end

--- Every handle, in no order: whether it dials, and the other end's name.
---@return {peer: silly.net.cluster.peer, dials: boolean, name: string}[]
function peers.describe()
	local list = {}
	for _, peer in pairs(by_slot) do
		list[#list + 1] = { peer = peer, dials = peer[ADDRESS] ~= nil, name = peers.name(peer) }
	end
	return list
end

--- A table that becomes a handle when it is used.
---@param address string
---@param terms silly.peers.terms how it will connect
---@param own boolean it is not to be shared
---@return silly.net.cluster.peer?
---@return string? problem that the address is malformed
function peers.later(address, terms, own)
	local known = not own and peers.shared(address, terms)
	if known then
		return known
	elseif core.malformed(address) then
		return nil, "Invalid address:" .. address
	end
	return { addr = address, remoteaddr = address, [LATER] = { terms = terms, own = own } }
end

--- Makes a table the handle of an address. One of `later` has been told its terms, and whether it is shared.
---@param peer table
---@param address string
---@param terms silly.peers.terms how it connects
---@param own boolean it is not to be shared
---@return integer? id
---@return string? problem what is malformed in the address
function peers.adopt(peer, address, terms, own)
	local later = peer[LATER]
	if later then
		terms, own = later.terms, later.own
	end
	local key = not own and key_of(address, terms)
	local known = key and shared[key]
	if known then
		-- A script that makes a table for every call must not make a connection each.
		peer[PEER], peer[ADDRESS], peer[KEY] = known[PEER], address, key
		return known[PEER]
	end
	local id, slot, problem = core.open(address, terms.wire, terms.tls and terms.tls.native)
	if not id then
		return nil, problem
	end
	peer[PEER], peer[ADDRESS] = id, address
	by_slot[slot] = peer
	if key then
		shared[key], peer[KEY] = peer, key
	end
	return id
end

--- A connection has come in.
---@return silly.net.cluster.peer
function peers.accepted(slot, id, fd, remote)
	local peer = { fd = fd, remoteaddr = remote, [PEER] = id, [REMOTE] = remote }
	by_slot[slot] = peer
	if credentials.used then
		peer.names = core.names(id)
	end
	return peer
end

--- A handle has a connection.
---@return silly.net.cluster.peer
function peers.connected(slot, fd, remote)
	local peer = by_slot[slot]
	peer.fd, peer.remoteaddr, peer[REMOTE] = fd, remote, remote
	if credentials.used then
		peer.names = core.names(peer[PEER])
	end
	return peer
end

--- A handle has lost its connection.
---@return silly.net.cluster.peer
function peers.lost(slot)
	local peer = by_slot[slot]
	peer.fd = nil
	if not peer[ADDRESS] then
		by_slot[slot] = nil -- it can never come back
	end
	return peer
end

--- Closes what a native id stands for, whether or not there is a handle of it.
---@param id integer
function peers.close_id(id)
	local slot = core.close_peer(id)
	local known = by_slot[slot]
	if known and known[PEER] == id then
		known.fd = nil
		by_slot[slot] = nil
	end
end

--- Closes a handle for good.
---@param peer silly.net.cluster.peer
function peers.close(peer)
	local id = peer[PEER]
	peers.close_id(id)
	local known = peer[KEY] and shared[peer[KEY]]
	if known and known[PEER] == id then
		shared[peer[KEY]] = nil
	end
	peer.fd = nil
	if edition.newest then
		peer.addr = nil
	end
end

--- Closes for good what could have become a handle.
---@param peer table
function peers.give_up(peer)
	peer.fd = nil
	if edition.newest then
		peer.addr, peer[PEER] = nil, NOBODY
	end
end

--- Every handle that is not closed, and every connection that has come in.
---@return silly.net.cluster.peer[]
function peers.list()
	local list = {}
	for _, peer in pairs(by_slot) do
		list[#list + 1] = peer
	end
	return list
end

--- Closes every handle.
function peers.close_all()
	for _, peer in pairs(by_slot) do
		peers.close(peer)
	end
end

open.kind {
	name = "connection",
	list = peers.list,
	close = peers.close,
	tell = function()
		local lines = {}
		for _, peer in pairs(by_slot) do
			if peer.fd then -- a handle that has none keeps no loop from ending
				lines[#lines + 1] = (peer[ADDRESS] and "to " or "from ") .. peers.name(peer)
			end
		end
		return lines
	end,
}

return peers
