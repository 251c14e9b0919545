//! The kubelet: its device plugin API and its PodResources API.
